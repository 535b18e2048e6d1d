package server

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/access"
)

const tokenCookie = "waldo_token"

// guard decides who may come in, before anything else is looked at.
type guard struct {
	token   string
	anyHost bool
	origins []string
}

func (g guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if !g.anyHost && !loopbackHost(r.Host) {
			http.Error(w, "the gateway answers only for localhost; to reach it by another name, set gateway.token and a gateway.http "+
				"that others can reach", http.StatusMisdirectedRequest)
			return
		}
		if !g.checkOrigin(w, r) {
			return
		}
		if preflight(r) {
			allowPreflight(w)
			return
		}
		if r.URL.Path != "/healthz" && !g.checkToken(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopbackHost reports whether a Host header means this machine and nothing else. A foreign page can point its own name at
// 127.0.0.1, but it cannot make the browser send another name than its own.
func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// checkOrigin lets foreign pages in only if they are allowed by name. Requests of programs have no Origin.
func (g guard) checkOrigin(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	origin := r.Header.Get("Origin")
	switch {
	case origin == "" || sameOrigin(origin, r.Host):
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		return true
	case slices.Contains(g.origins, origin):
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "Location, Link, ETag, Accept-Patch")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		return true
	default:
		http.Error(w, "pages of "+origin+" may not use this gateway; to allow it, add it to gateway.origins", http.StatusForbidden)
		return false
	}
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, host)
}

func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

func allowPreflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// checkToken lets in who has the token.
func (g guard) checkToken(w http.ResponseWriter, r *http.Request) bool {
	if g.token == "" {
		return true
	}
	if q := r.URL.Query(); q.Has("token") && g.matches(q.Get("token")) {
		return !keepToken(w, r)
	}
	if g.matches(access.Bearer(r.Header.Get("Authorization"))) {
		return true
	}
	if c, err := r.Cookie(tokenCookie); err == nil && g.matches(c.Value) {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="waldo"`)
	http.Error(w, "a token is needed: open the page once with ?token=…, or send the header Authorization: Bearer …",
		http.StatusUnauthorized)
	return false
}

func (g guard) matches(token string) bool { return access.Allowed(g.token, token) }

// keepToken makes a browser that opens a page keep the token as a cookie, and sends it to the same page without the token in
// its address. It reports whether it did.
func keepToken(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	q := r.URL.Query()
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: q.Get("token"), Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	q.Del("token")
	target := url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, "/"), RawQuery: q.Encode()}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
	return true
}
