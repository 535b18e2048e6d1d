package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

const (
	// maxBody bounds the body of a request. Offers have at most 64 KiB.
	maxBody = 1 << 20
	// answerPatience bounds how long a robot may take to begin an answer: a camera may have to be switched on first.
	answerPatience = 30 * time.Second
	// idleStreams is how many idle streams to a robot are kept, and for how long.
	idleStreams     = 8
	idleStreamsLife = 20 * time.Second
)

// newRobot returns a robot to which requests can be passed on.
func (s *Server) newRobot(name, fingerprint, client string, session *tunnel.Session) *online {
	r := &online{name: name, fingerprint: fingerprint, client: client, session: session,
		requests: make(chan struct{}, s.config.Limits.Requests)}
	r.transport = &http.Transport{
		DialContext:         func(context.Context, string, string) (net.Conn, error) { return session.Open() },
		MaxIdleConnsPerHost: idleStreams, IdleConnTimeout: idleStreamsLife, ResponseHeaderTimeout: answerPatience,
		DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
	}
	r.proxy = &httputil.ReverseProxy{
		Rewrite: rewrite, Transport: r.transport, FlushInterval: -1, ErrorLog: s.internal.ErrorLog,
		ModifyResponse: confine, ErrorHandler: s.failed,
	}
	return r
}

// pass answers requests below /r/{robot}/.
func (s *Server) pass(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("robot")
	to := s.find(name)
	if to == nil {
		s.absent(w, r, name)
		return
	}
	client := clientOf(r)
	if !s.requests.add(client) {
		s.refuse(w, refusal{http.StatusTooManyRequests, time.Second, "client", "too many requests from this address are " +
			"under way: end some, or wait"})
		return
	}
	defer s.requests.remove(client)
	select {
	case to.requests <- struct{}{}:
	default:
		s.refuse(w, refusal{http.StatusServiceUnavailable, 2 * time.Second, "robot", "too many requests to this robot are " +
			"under way: wait a few seconds"})
		return
	}
	defer func() { <-to.requests }()
	if !s.own(func() {}) {
		s.refuse(w, refusal{http.StatusServiceUnavailable, time.Second, "stopping", errStopping.Error()})
		return
	}
	defer s.owned.Done()
	s.metrics.requests.Inc()
	s.metrics.underWay.Inc()
	defer s.metrics.underWay.Dec()
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	to.proxy.ServeHTTP(&endless{ResponseWriter: whole{w}}, r)
}

// rewrite makes a request one to the robot itself.
func rewrite(p *httputil.ProxyRequest) {
	prefix := "/r/" + p.In.PathValue("robot")
	p.Out.URL.Scheme, p.Out.URL.Host = "http", "robot"
	p.Out.URL.Path = strings.TrimPrefix(p.In.URL.Path, prefix)
	p.Out.URL.RawPath = strings.TrimPrefix(p.In.URL.RawPath, prefix)
	p.Out.Host = p.In.Host
	p.SetXForwarded()
	if ip, err := netip.ParseAddrPort(addressOf(p.In)); err == nil {
		p.Out.Header.Set("X-Forwarded-For", ip.Addr().Unmap().String())
	}
	if proto := p.In.Header.Get("X-Forwarded-Proto"); proto != "" && fromLoopback(p.In.RemoteAddr) {
		p.Out.Header.Set("X-Forwarded-Proto", proto)
	}
}

// confine takes out of a robot's answer what acts on other robots' pages, which are of the same origin.
func confine(answer *http.Response) error {
	for _, header := range []string{"Alt-Svc", "Clear-Site-Data", "Nel", "Origin-Agent-Cluster", "Report-To",
		"Reporting-Endpoints", "Service-Worker-Allowed", "Strict-Transport-Security"} {
		answer.Header.Del(header)
	}
	cookies := answer.Cookies()
	answer.Header.Del("Set-Cookie")
	for _, c := range cookies {
		// Without both, a cookie is for the folder of the request.
		if c.Path == "" && c.Domain == "" {
			answer.Header.Add("Set-Cookie", c.String())
		}
	}
	return nil
}

// failed answers a request that a robot has not.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	name := r.PathValue("robot")
	switch {
	case errors.As(err, &large):
		http.Error(w, "the body has more than 1048576 bytes", http.StatusRequestEntityTooLarge)
	case r.Context().Err() != nil: // the client has left
		w.WriteHeader(http.StatusBadGateway)
	case s.find(name) == nil:
		s.absent(w, r, name)
	default:
		http.Error(w, "the robot did not answer: try again", http.StatusBadGateway)
	}
}

// toFolder sends who has left out the last slash to where relative addresses work.
func toFolder(w http.ResponseWriter, r *http.Request) {
	// Relative, as a proxy may have taken a prefix off the path.
	target := url.URL{Path: "./" + r.PathValue("robot") + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// joinPort makes an address without a port one with.
func joinPort(host string) string { return net.JoinHostPort(strings.Trim(host, "[]"), "0") }
