package server

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestBehindAProxy visits a gateway with a token through proxies that take a prefix off, as a browser that keeps
// cookies.
func TestBehindAProxy(t *testing.T) {
	const prefix = "/robots/7"
	s := newSite(t, Config{Token: "secret"}, 0)
	upstream, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, rewrite := range map[string]func(*httputil.ProxyRequest){
		"Host of the upstream": func(r *httputil.ProxyRequest) { r.Out.Host = upstream.Host },
		"Host of the visitor":  func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		"Host of the upstream, and who was asked for": func(
			r *httputil.ProxyRequest) {
			r.Out.Host = upstream.Host
			r.SetXForwarded()
		},
		"Host of the visitor, and all headers there are": func(r *httputil.ProxyRequest) {
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			r.Out.Header.Set("X-Forwarded-Prefix", prefix)
			r.Out.Header.Set("X-Forwarded-Port", "1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := httptest.NewServer(http.StripPrefix(prefix, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(upstream)
				rewrite(r)
			}}))
			defer proxy.Close()
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			v := &visitor{t: t, base: proxy.URL + prefix + "/", client: http.Client{Jar: jar, Transport: &http.Transport{}}}
			defer v.client.CloseIdleConnections()
			v.visit()
			for path, want := range map[string]int{prefix + "/devices": 1, "/robots/8/": 0, "/": 0} {
				u, _ := url.Parse(proxy.URL + path)
				if got := len(jar.Cookies(u)); got != want {
					t.Errorf("%d cookies go to %s, want %d", got, path, want)
				}
			}
		})
	}
}

// visitor is a browser, which sends Origin and Sec-Fetch-Site as they do.
type visitor struct {
	t      *testing.T
	base   string
	client http.Client
}

func (v *visitor) visit() {
	t := v.t
	page := v.do(http.MethodGet, "?token=secret&x=1", "", "Accept: text/html")
	if page.StatusCode != 200 || page.Request.URL.String() != v.base+"?x=1" {
		t.Fatalf("the page: %s at %s", page.Status, page.Request.URL)
	}
	for _, path := range []string{"", "waldo.js", "page/main.js", "snapshot/front.jpg", "devices", "metrics"} {
		if answer := v.do(http.MethodGet, path, ""); answer.StatusCode != 200 {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	why := v.do(http.MethodPost, "signal", "")
	if why.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("POST to signal: %s", why.Status)
	}
	v.socket(why.Header.Get(ticketHeader))
	opened := v.do(http.MethodPost, "whep/front", offer(t), sdpType)
	location, err := opened.Location()
	if err != nil || opened.StatusCode != 201 || !strings.HasPrefix(location.String(), v.base+"whep/front/") {
		t.Fatalf("WHEP: %s, Location %v, %v", opened.Status, location, err)
	}
	session := strings.TrimPrefix(location.String(), v.base)
	if answer := v.do(http.MethodPatch, session, "a=end-of-candidates\r\n",
		"Content-Type: "+typeFragment); answer.StatusCode != 204 {
		t.Errorf("PATCH: %s", answer.Status)
	}
	v.client.Jar = nil // a player that had only the token of its address
	if answer := v.do(http.MethodDelete, session, ""); answer.StatusCode != 200 {
		t.Errorf("DELETE: %s", answer.Status)
	}
}

// do sends a request as the page does.
func (v *visitor) do(method, path, body string, headers ...string) *http.Response {
	v.t.Helper()
	r, err := http.NewRequest(method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != http.MethodGet {
		r.Header.Set("Origin", "http://"+r.URL.Host)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		v.t.Error(err)
	}
	return answer
}

// socket opens the signalling with a ticket, and without Sec-Fetch-Site: browsers send none with a WebSocket.
func (v *visitor) socket(ticket string) {
	u, _ := url.Parse(v.base)
	socket, _, err := websocket.Dial(v.t.Context(), v.base+"signal", &websocket.DialOptions{
		HTTPClient: &v.client, HTTPHeader: http.Header{"Origin": {"http://" + u.Host}},
		Subprotocols: []string{subprotocol, ticketProtocol + ticket}})
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = socket.CloseNow() }()
	if _, welcome, err := socket.Read(v.t.Context()); err != nil || !strings.Contains(string(welcome), `"welcome"`) ||
		socket.Subprotocol() != subprotocol {
		v.t.Errorf("%s, %v, protocol %q", welcome, err, socket.Subprotocol())
	}
}
