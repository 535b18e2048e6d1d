package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// exposed are the headers of answers that pages of other origins may read.
const exposed = "Location, Link, ETag, Accept-Patch, " + keyHeader + ", " + signatureHeader

// guard decides who gets in, before anything else happens.
type guard struct {
	config    Config
	authority *tokens.Authority
	visitors  *visitors.Visitors
	logins    *Logins
	tickets   tickets
	stopping  context.Context
	log       *slog.Logger
	wrong     prometheus.Counter
	guesses   access.Guesses
	// route is the route of a request.
	route func(*http.Request) route
}

// route is what the guard has to know of a route.
type route struct {
	audience audience
	need     roles.Role // of who comes from the robot's own network
	device   string     // that the request is about; may be empty
	pass     string     // purpose of the passes that are good for it, see [Logins.issuePass]; empty: none are
}

// newGuard returns the guard of a server with a configuration, which has everything that is optional.
func newGuard(stopping context.Context, c Config, t tickets, of func(*http.Request) route) (*guard, error) {
	g := &guard{config: c, authority: c.Authority, logins: c.Logins, tickets: t, stopping: stopping, log: c.Log, route: of,
		visitors: visitors.New(visitors.Config{Authority: c.Authority, Audit: c.Audit, Log: c.Log, Metrics: c.Metrics}),
		wrong: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_gateway_wrong_tokens_total", Help: "Requests that presented a wrong token."})}
	c.Metrics.MustRegister(g.wrong)
	if g.logins == nil {
		var err error
		if g.logins, err = NewLogins(c.Robot, c.Token, nil); err != nil {
			return nil, err
		}
	}
	context.AfterFunc(stopping, g.logins.follow(func(of login) { g.visitors.SignOut(string(of)) }))
	return g, nil
}

// while ends a context when the server is closed, too.
func (g *guard) while(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.stopping, cancel)
	return ctx, func() { stop(); cancel() }
}

func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		r = clean(r)
		if isRemote(r) {
			g.serveRemote(w, r, next)
			return
		}
		// Health is not secret, and programs that know the gateway by another name ask for it.
		if r.URL.Path != "/healthz" && !g.answersTo(r.Host) {
			g.refuseHost(w, r.Host)
			return
		}
		// Only somebody who has a pass can put it into an address: where a page is from does not matter then.
		if g.passed(r).err != nil && !g.checkOrigin(w, r) {
			return
		}
		if preflight(r) {
			allowPreflight(w)
			return
		}
		g.serveOwn(w, r, next)
	})
}

// serveOwn serves a request from the robot's own network.
func (g *guard) serveOwn(w http.ResponseWriter, r *http.Request, next http.Handler) {
	to := g.route(r)
	if to.audience == everybody {
		next.ServeHTTP(w, r)
		return
	}
	by, ok := g.checkToken(w, r)
	if !ok {
		return
	}
	visitor := g.visitors.EnterBy(r.Context(), by.grant, string(by.login), r.RemoteAddr)
	defer visitor.Leave()
	if g.logins.isEnded(by.login) { // just now
		g.visitors.SignOut(string(by.login))
	}
	if err := visitor.Require(to.need, to.device, r.Method+" "+r.URL.Path); err != nil {
		fail(w, err)
		return
	}
	next.ServeHTTP(w, withVisitor(r, visitor))
}

type visitorKey struct{}

// withVisitor returns a request whose context has the visitor, and ends with the visit.
func withVisitor(r *http.Request, v *visitors.Visitor) *http.Request {
	return r.WithContext(context.WithValue(v.Context(), visitorKey{}, v))
}

// visitorOf returns who makes a request; nil if nobody was asked.
func visitorOf(r *http.Request) *visitors.Visitor {
	v, _ := r.Context().Value(visitorKey{}).(*visitors.Visitor)
	return v
}

// clean takes empty and relative parts out of the path. [http.ServeMux] would send the client to the clean path
// instead, and not know what prefix a proxy has taken off. The last slash of a robot's folder stays: what its page
// loads is relative to that.
func clean(r *http.Request) *http.Request {
	cleaned := path.Clean("/" + r.URL.Path)
	if strings.HasPrefix(cleaned, "/r/") && strings.HasSuffix(r.URL.Path, "/") {
		cleaned += "/"
	}
	if cleaned == r.URL.Path {
		return r
	}
	r = r.WithContext(r.Context()) // a copy
	u := *r.URL
	u.Path, u.RawPath = cleaned, ""
	r.URL = &u
	return r
}

// answersTo reports whether the gateway answers to a name, host or host:port. A foreign page can point its own name
// at this machine, but it cannot make the browser send another name than its own. With a token the name does not
// matter: such a page does not have the token, and the browser does not send it the cookie that this gateway has set.
func (g *guard) answersTo(hostport string) bool {
	host := access.HostName(hostport)
	if access.IsLoopbackName(host) {
		return true
	}
	if len(g.config.Hosts) == 0 {
		return g.authority.Guarded()
	}
	return slices.ContainsFunc(g.config.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}

func (g *guard) refuseHost(w http.ResponseWriter, host string) {
	remedy := "set gateway.token, with which it answers to every name, or list the name in gateway.hosts if a proxy " +
		"before it keeps strangers out"
	if len(g.config.Hosts) > 0 {
		remedy = "add it to gateway.hosts"
	}
	http.Error(w, fmt.Sprintf("the gateway does not answer to the name %.100q: %s", access.HostName(host), remedy),
		http.StatusMisdirectedRequest)
}

// checkOrigin admits foreign pages only if they are allowed by name. Requests from programs have no Origin.
func (g *guard) checkOrigin(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	origin := r.Header.Get("Origin")
	switch {
	case origin == "" || g.ownPage(r, origin):
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		return true
	case slices.Contains(g.config.Origins, origin):
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", exposed)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		return true
	default:
		http.Error(w, "pages of "+origin+" may not use this gateway; to allow it, add it to gateway.origins. If that is "+
			"this page behind a reverse proxy, let the proxy keep the Host header, in nginx: proxy_set_header Host $http_host;",
			http.StatusForbidden)
		return false
	}
}

// ownPage reports whether a request comes from a page of this gateway. A proxy may have put another name into Host;
// then the page must be of a name that the gateway answers to, and the browser or the proxy must say that the request
// goes to where the page is from, or have said so to get a ticket. No script of a page elsewhere can say so: browsers
// do not let it set Sec-Fetch-Site, and ask the gateway before it may send X-Forwarded-Host.
func (g *guard) ownPage(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	own := func(host string) bool {
		return strings.EqualFold(withPort(u, u.Host), withPort(u, strings.TrimSpace(host)))
	}
	if own(r.Host) {
		return true
	}
	if !g.answersTo(u.Host) {
		return false
	}
	return r.Header.Get("Sec-Fetch-Site") == "same-origin" || g.tickets.shown(r, origin) ||
		slices.ContainsFunc(strings.Split(r.Header.Get("X-Forwarded-Host"), ","), own)
}

// withPort adds the port that a scheme stands for to a host that has none.
func withPort(u *url.URL, host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil || host == "" {
		return host
	}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
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
