package server

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"
)

const pageOrigin = "http://127.0.0.1:8090"

// TestTicket opens a WebSocket from a page whose proxy has changed Host, as a browser does: without Sec-Fetch-Site.
func TestTicket(t *testing.T) {
	s := newSite(t, Config{}, 0)
	socket := func(origin, ticket string) int {
		answer, _ := s.do(request{path: "/signal", headers: []string{"Origin: " + origin,
			"Sec-WebSocket-Protocol: waldo, waldo-ticket." + ticket}})
		return answer.StatusCode
	}
	ask := func(headers ...string) (*http.Response, string) {
		answer, _ := s.do(request{method: "POST", path: "/signal", headers: headers})
		return answer, answer.Header.Get(ticketHeader)
	}
	answer, ticket := ask("Origin: "+pageOrigin, "Sec-Fetch-Site: same-origin")
	if answer.StatusCode != http.StatusUpgradeRequired || ticket == "" {
		t.Fatalf("%s, ticket %q", answer.Status, ticket)
	}
	if code := socket(pageOrigin, ""); code != http.StatusForbidden {
		t.Errorf("without a ticket: %d", code)
	}
	if code := socket(pageOrigin, ticket); code != http.StatusUpgradeRequired { // the next thing that is missing
		t.Errorf("with a ticket: %d", code)
	}
	if code := socket("http://127.0.0.1:9999", ticket); code != http.StatusForbidden {
		t.Errorf("with the ticket of another page: %d", code)
	}
	if code := socket("http://evil.example", s.server.tickets.issue("http://evil.example",
		time.Now())); code != http.StatusForbidden {
		t.Errorf("with a ticket for a name that is not answered to: %d", code)
	}
	for _, headers := range [][]string{
		{"Origin: " + pageOrigin, "Sec-Fetch-Site: same-site"}, {"Origin: " + pageOrigin}, {"Sec-Fetch-Site: same-origin"},
		{"Origin: http://evil.example", "Sec-Fetch-Site: same-origin"},
	} {
		if _, ticket := ask(headers...); ticket != "" {
			t.Errorf("%v: there is a ticket", headers)
		}
	}
}

func TestTicketEnds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	issuer := newTickets()
	ticket := issuer.issue(pageOrigin, now)
	data, _ := base64.RawURLEncoding.DecodeString(ticket)
	data[6] ^= 1
	for _, tt := range []struct {
		name   string
		by     tickets
		ticket string
		at     time.Duration
		want   bool
	}{
		{"at once", issuer, ticket, 0, true},
		{"before the end", issuer, ticket, ticketLife - time.Second, true},
		{"after the end", issuer, ticket, ticketLife, false},
		{"another life of the gateway", newTickets(), ticket, 0, false},
		{"longer life", issuer, base64.RawURLEncoding.EncodeToString(data), 0, false},
		{"nothing", issuer, "", 0, false},
	} {
		if got := tt.by.valid(tt.ticket, pageOrigin, now.Add(tt.at)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzTicket(f *testing.F) {
	issuer, now := newTickets(), time.Unix(1_800_000_000, 0)
	good := issuer.issue(pageOrigin, now)
	for _, seed := range []string{"", good, good[:20], "%%%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ticket string) {
		if issuer.valid(ticket, pageOrigin, now) && ticket != good {
			t.Errorf("%q is a ticket", ticket)
		}
	})
}
