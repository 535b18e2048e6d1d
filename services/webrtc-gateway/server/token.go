package server

import (
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

const (
	cookieName = "waldo"
	// subprotocol is requested by pages that have something to present: scripts cannot set headers of a WebSocket.
	// They send it beside, as another protocol: the token in base64url, or a ticket.
	subprotocol    = "waldo"
	tokenProtocol  = "waldo-token."
	ticketProtocol = "waldo-ticket."
)

// maxPresented is how many tokens of a request count. Each may be a guess, and guesses are slowed down by the request.
const maxPresented = 2

// checkToken returns what the token of a request gives, or of the cookie that it was exchanged for. If it is false, the
// request was answered.
func (g *guard) checkToken(w http.ResponseWriter, r *http.Request) (shown, bool) {
	grant, err := g.authority.Check("") // good where none is needed
	if err == nil {
		return shown{grant: grant}, true
	}
	s := g.try(r)
	for _, other := range []func() shown{func() shown { return g.resume(w, r) }, func() shown { return g.passed(r) }} {
		if s.err == nil {
			break
		}
		if found := other(); found.err == nil || errors.Is(s.err, tokens.ErrMissing) {
			found.guessed = s.guessed
			s = found
		}
	}
	switch { // a visitor let in by something else has guessed all the same
	case s.guessed && !g.slowDown(r):
		g.visitors.Refused(s.grant, tokens.ErrUnknown, r.RemoteAddr, r.Method+" "+r.URL.Path)
		w.Header().Set("Retry-After", "3")
		w.Header().Set("Connection", "close")
		http.Error(w, "too many wrong tokens from this address: wait a few seconds", http.StatusTooManyRequests)
		return s, false
	case s.err != nil:
		g.refuse(w, r, s.grant, s.err)
		return s, false
	}
	return s, !(s.inAddress && g.openSession(w, r, s.grant))
}

// shown is what the tokens of a request give, or its cookies.
type shown struct {
	grant     tokens.Grant
	err       error // of the authority; ErrMissing without any
	guessed   bool  // one of those that were tried is wrong
	inAddress bool  // the good one is in the address
	login     login // of the cookie; empty for a token
}

// try tries the tokens of a request until one is good.
func (g *guard) try(r *http.Request) shown {
	inAddress := r.URL.Query().Get("token")
	grant, used, guessed, err := tokens.Try(g.authority.Check, presented(r, inAddress))
	return shown{grant: grant, err: err, guessed: guessed, inAddress: used != "" && used == inAddress}
}

// refuse answers a request whose token is not good.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request, was tokens.Grant, err error) {
	g.visitors.Refused(was, err, r.RemoteAddr, r.Method+" "+r.URL.Path)
	text := "a token is needed: open the page once with ?token=…, or send the header Authorization: Bearer …; " +
		"a page of another origin calls waldo.connect(undefined, {token})"
	switch {
	case errors.Is(err, tokens.ErrBroken):
		fail(w, tokens.Status(err))
		return
	case errors.Is(err, tokens.ErrExpired), errors.Is(err, tokens.ErrRevoked):
		text = status.Convert(tokens.Status(err)).Message()
	case errors.Is(err, tokens.ErrUnknown):
		text = "the token is not known here. " + text
	}
	challenge(w.Header(), r)
	http.Error(w, text, http.StatusUnauthorized)
}

// challenge says how a client may show who it is. Programs that are given an address with a password, such as ffmpeg,
// send it only when they are asked for one; a browser that is asked would ask people, in the middle of the page.
func challenge(h http.Header, r *http.Request) {
	h.Set("WWW-Authenticate", `Bearer realm="waldo"`)
	if !strings.HasPrefix(r.UserAgent(), "Mozilla/") {
		h.Add("WWW-Authenticate", `Basic realm="waldo"`)
	}
}

// presented lists the tokens of a request that count: the one in its address, if any, and those of its headers.
func presented(r *http.Request, inAddress string) (tokens []string) {
	for _, t := range []string{inAddress, authorization(r)} {
		if t != "" {
			tokens = append(tokens, t)
		}
	}
	for _, encoded := range protocols(r, tokenProtocol) {
		if len(tokens) == maxPresented {
			break
		}
		token, _ := base64.RawURLEncoding.DecodeString(encoded) // an undecodable one is wrong
		tokens = append(tokens, string(token))
	}
	return tokens
}

// authorization returns the token in the header of that name, as a bearer or as a password: clients of RTCBot can only
// be given an address, http://:token@robot/connect.
func authorization(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return access.Bearer(r.Header.Get("Authorization"))
}

// protocols lists what follows a prefix in the names of the protocols that a WebSocket asks for.
func protocols(r *http.Request, prefix string) (found []string) {
	for _, header := range r.Header.Values("Sec-Websocket-Protocol") {
		for protocol := range strings.SplitSeq(header, ",") {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(protocol), prefix); ok {
				found = append(found, rest)
			}
		}
	}
	return found
}

// slowDown delays the answer to a wrong token; false if too many are being delayed already.
func (g *guard) slowDown(r *http.Request) bool {
	g.wrong.Inc()
	ctx, cancel := g.while(r.Context())
	defer cancel()
	guess := g.guesses.Wrong(ctx, r.RemoteAddr)
	if guess.Report {
		// The header may be set by a proxy, or by anybody.
		g.log.Warn("a wrong token was presented", "client", guess.Client, "guesses", guess.Count,
			"forwarded_for", firstRunes(r.Header.Get("X-Forwarded-For"), 64))
	}
	return guess.Waited
}

// firstRunes returns the beginning of a text.
func firstRunes(text string, n int) string {
	runes := []rune(text)
	return string(runes[:min(n, len(runes))])
}

// openSession makes a browser that opens a page keep a session as a cookie, and sends it to the same page without the
// token in its address. It reports whether it did.
func (g *guard) openSession(w http.ResponseWriter, r *http.Request, grant tokens.Grant) bool {
	if r.Method != http.MethodGet || !besidePage(r) || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	g.setCookie(w, r, grant, newLogin())
	q := r.URL.Query()
	q.Del("token")
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	// Relative, as a proxy may have taken a prefix off the path; http.Redirect would make it absolute.
	_, file := path.Split(r.URL.Path)
	h.Set("Location", (&url.URL{Path: "./" + file, RawQuery: q.Encode()}).String())
	w.WriteHeader(http.StatusSeeOther)
	return true
}

// resume returns what the token gives that a browser has a cookie for, and gives it a new one if its life is half over.
// The error is one of the authority: ErrMissing if there is no cookie of this gateway.
func (g *guard) resume(w http.ResponseWriter, r *http.Request) shown {
	var longest time.Duration
	s := shown{err: tokens.ErrMissing}
	for _, value := range cookies(r) {
		found, of, left := g.logins.find(value, time.Now())
		if left <= longest {
			continue
		}
		now, failed := g.authority.Renew(found)
		if failed != nil && longest > 0 {
			continue
		}
		s = shown{grant: now, err: failed, login: of}
		if failed == nil {
			longest = left
		}
	}
	if s.err == nil && longest < sessionLife/2 && besidePage(r) {
		g.setCookie(w, r, s.grant, s.login)
	}
	return s
}

// cookies lists the values of the cookies of a request that this gateway may have set.
func cookies(r *http.Request) (values []string) {
	for _, prefix := range []string{hostPrefix, securePrefix, ""} {
		for _, c := range r.CookiesNamed(cookieFor(r, prefix)) {
			values = append(values, c.Value)
		}
	}
	return values
}

// signOut ends the login of a browser, with all that is open by it, and has the browser forget its cookie.
func (g *guard) signOut(w http.ResponseWriter, r *http.Request) {
	for _, value := range cookies(r) {
		g.logins.end(value, time.Now())
	}
	c := cookieOf(r)
	c.MaxAge = -1
	http.SetCookie(w, c)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// besidePage reports whether a path is in the folder of the page. A cookie without a path is for the folder it was
// set in, as the browser sees it, and so for the whole of this robot and nothing else, wherever a proxy puts it.
func besidePage(r *http.Request) bool { return strings.LastIndexByte(r.URL.Path, '/') == 0 }

// Prefixes of a cookie's name that make browsers take the cookie from https only, and with the first from this host
// only and for all of its paths. Behind a proxy other paths may be others'.
const (
	hostPrefix   = "__Host-"
	securePrefix = "__Secure-"
)

// setCookie gives a browser a cookie of a login.
func (g *guard) setCookie(w http.ResponseWriter, r *http.Request, grant tokens.Grant, of login) {
	c := cookieOf(r)
	c.Value, c.MaxAge = g.logins.issue(grant, of, time.Now()), int(sessionLife.Seconds())
	http.SetCookie(w, c)
}

// cookieOf returns the cookie for a request, without a value. It is for https only if the request came over https; a
// client that claims so wrongly harms only itself.
func cookieOf(r *http.Request) *http.Cookie {
	c := &http.Cookie{HttpOnly: true, SameSite: http.SameSiteStrictMode}
	prefix, forwarded := "", r.Header.Get("X-Forwarded-Proto")
	switch {
	case r.TLS != nil && forwarded == "":
		prefix, c.Path = hostPrefix, "/"
	case r.TLS != nil || strings.EqualFold(forwarded, "https"):
		prefix = securePrefix
	}
	c.Name, c.Secure = cookieFor(r, prefix), prefix != ""
	return c
}

// cookieFor names the cookie. Browsers send cookies to all ports of a host: the port in the name keeps the gateways
// there apart.
func cookieFor(r *http.Request, prefix string) string {
	name := prefix + cookieName
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			name += "-" + strconv.FormatUint(n, 10)
		}
	}
	return name
}
