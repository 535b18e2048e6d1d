package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// remoteKey is the context key of requests that come by way of a rendezvous server.
type remoteKey struct{}

// Remote marks the requests to next, the [Server.Handler], as coming by way of a rendezvous server: that server can
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

// isRemote reports whether a request comes by way of a rendezvous server.
func isRemote(r *http.Request) bool { return r.Context().Value(remoteKey{}) != nil }

// checkRemote admits, of the requests that come by way of a rendezvous server, those for what is public.
func (g *guard) checkRemote(w http.ResponseWriter, r *http.Request) bool {
	if !isRemote(r) || g.open(r) {
		return true
	}
	http.Error(w, "this is not available by way of a rendezvous server: use the robot's own address", http.StatusForbidden)
	return false
}
