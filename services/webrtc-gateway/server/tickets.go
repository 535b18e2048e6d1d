package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"time"
)

const (
	// ticketHeader holds a ticket in the answer to a POST of the page to /signal.
	ticketHeader = "Waldo-Ticket"
	ticketLife   = time.Hour
)

// tickets let a page of this gateway open a WebSocket behind a proxy that puts another name into Host. Browsers do
// not say of a WebSocket, as they do of other requests, that it goes to where its page is from. So the page first
// sends a POST, of which the browser does say so, and gets a ticket for its origin, which it shows in the WebSocket.
// A ticket vouches only for the origin; the token is required all the same.
type tickets struct {
	codes sessions
}

func newTickets() tickets {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	return tickets{sessions{key}}
}

// offer gives the page a ticket, if the browser says that the request is of its own site.
func (t tickets) offer(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set(ticketHeader, t.issue(origin, time.Now()))
	}
}

func (t tickets) issue(origin string, now time.Time) string {
	ticket := binary.BigEndian.AppendUint64(nil, uint64(now.Add(ticketLife).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(ticket, t.codes.sign(slices.Concat(ticket, []byte(origin)))...))
}

// valid reports whether a ticket is for an origin, and still valid.
func (t tickets) valid(ticket, origin string, now time.Time) bool {
	data, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(data) != sessionTime+sha256.Size {
		return false
	}
	until, code := data[:sessionTime], data[sessionTime:]
	return t.codes.signed(slices.Concat(until, []byte(origin)), code) &&
		time.Unix(int64(binary.BigEndian.Uint64(until)), 0).After(now)
}

// shown reports whether a WebSocket presents a ticket for its origin.
func (t tickets) shown(r *http.Request, origin string) bool {
	return slices.ContainsFunc(protocols(r, ticketProtocol),
		func(ticket string) bool { return t.valid(ticket, origin, time.Now()) })
}
