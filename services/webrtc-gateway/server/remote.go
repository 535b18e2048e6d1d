package server

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// remoteKey is the context key of requests that come through a rendezvous server.
type remoteKey struct{}

// Remote marks the requests to next, the [Server.Handler], as coming through a rendezvous server: that server can
// read them and make some of its own, so they may do less. The client's address is the one that the server states, in
// X-Forwarded-For; it serves only to tell visitors apart.
func Remote(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), remoteKey{}, true))
		stated := r.Header.Values("X-Forwarded-For")
		if len(stated) == 1 {
			if ip, err := netip.ParseAddr(strings.TrimSpace(stated[0])); err == nil {
				r.RemoteAddr = net.JoinHostPort(ip.String(), "0")
			}
		}
		next.ServeHTTP(w, r)
	})
}

// isRemote reports whether a request comes through a rendezvous server.
func isRemote(r *http.Request) bool { return r.Context().Value(remoteKey{}) != nil }

// Headers of an answer to an offer that came through a rendezvous server: the robot's public key and its signature of
// the answer, see Answer.signature in waldo.signaling.v1, both in base64url without padding. The challenge of the
// signature is empty: what makes it good for one offer only is the fingerprint in that.
const (
	keyHeader       = "Waldo-Key"
	signatureHeader = "Waldo-Signature"
)

// serveRemote serves a request that comes through a rendezvous server. Nothing counts there that a browser adds on its
// own, neither cookies nor origin, so pages of all origins may ask. The robot's token does not count either: the server
// would have seen it.
func (g *guard) serveRemote(w http.ResponseWriter, r *http.Request, next http.Handler) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", exposed)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	switch {
	case preflight(r):
		allowPreflight(w)
	case r.URL.Query().Has("token"):
		http.Error(w,
			"a token in the address is seen by the rendezvous server: if this was the robot's, change it. Open the "+
				"link that `waldo link --token` prints", http.StatusForbidden)
	default:
		g.serveVisitor(w, r, next)
	}
}

// guest is what the guest token gives.
var guest = tokens.Grant{Name: "guest token", Role: roles.Driver}

// serveVisitor serves a request that may come through a rendezvous server, or answers that it may not. A session is one
// of the shared token, and proves that before anything else.
func (g *guard) serveVisitor(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !g.checkRemote(w, r) {
		return
	}
	var visitor *visitors.Visitor
	switch g.route(r).audience {
	case guests:
		visitor = g.visitors.EnterGuest(r.Context(), guest, r.RemoteAddr)
	case callers:
		visitor = g.visitors.EnterGuest(r.Context(), tokens.Grant{Name: tokens.SharedName, Role: roles.Admin}, r.RemoteAddr)
	case everybody, holders:
		next.ServeHTTP(w, r)
		return
	}
	defer visitor.Leave()
	next.ServeHTTP(w, withVisitor(r, visitor))
}

// checkRemote admits a request that comes through a rendezvous server, or answers it.
func (g *guard) checkRemote(w http.ResponseWriter, r *http.Request) bool {
	switch g.route(r).audience {
	case everybody, callers:
		return true
	case guests:
		return g.checkGuest(w, r)
	case holders:
	}
	http.Error(w, "this is not available through a rendezvous server: use the page or pkg/peer, or the robot's own "+
		"address", http.StatusForbidden)
	return false
}

// checkGuest admits those with the guest token.
func (g *guard) checkGuest(w http.ResponseWriter, r *http.Request) bool {
	token := authorization(r)
	if g.config.GuestToken != "" && token != "" && access.Allowed(g.config.GuestToken, token) {
		return true
	}
	if token != "" && !g.slowDown(r) {
		w.Header().Set("Retry-After", "3")
		http.Error(w, "too many wrong tokens from this address: wait a few seconds", http.StatusTooManyRequests)
		return false
	}
	remedy := "send the header Authorization: Bearer …, with gateway.rendezvous.guestToken"
	if g.config.GuestToken == "" {
		remedy = "set gateway.rendezvous.guestToken in robot.yaml, and send it in the header Authorization: Bearer …"
	}
	http.Error(w, "through a rendezvous server this needs a token of its own: "+remedy+". The robot's token does not "+
		"count here: if you have sent it, the server has seen it, so change it", http.StatusForbidden)
	return false
}

// signAnswer signs the answer to an offer in the body of a request, if it came through a rendezvous server. There is
// no signature if the offer or the answer has no fingerprint, or different ones.
func (s *Server) signAnswer(w http.ResponseWriter, r *http.Request, offer, answer string) {
	if !isRemote(r) || s.identities == nil {
		return
	}
	offered, err := identity.DTLSFingerprint(offer)
	if err != nil {
		return
	}
	signature, err := s.identities.sign(s.config.Robot, nil, offered, answer)
	if err != nil {
		return
	}
	h := w.Header()
	h.Set(keyHeader, base64.RawURLEncoding.EncodeToString(s.identities.key.Public()))
	h.Set(signatureHeader, base64.RawURLEncoding.EncodeToString(signature))
}
