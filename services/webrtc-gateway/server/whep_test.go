package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/outside"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// fixed are ICE servers that do not change.
func fixed(servers ...*signalingv1.IceServer) outside.Servers {
	return func() ([]*signalingv1.IceServer, <-chan struct{}) { return servers, nil }
}

// locate returns the path that a relative Location means.
func locate(t *testing.T, path string, answer *http.Response) string {
	t.Helper()
	from, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	location := answer.Header.Get("Location")
	to, err := from.Parse(location)
	if err != nil || location == "" || strings.HasPrefix(location, "/") || to.Host != "" {
		t.Fatalf("Location %q: %v", location, err)
	}
	return to.RequestURI()
}

func TestWHEP(t *testing.T) {
	s := newSite(t, Config{ICEServers: fixed(
		&signalingv1.IceServer{Urls: []string{"stun:stun.example:3478"}},
		&signalingv1.IceServer{Urls: []string{"turn:turn.example"}, Username: "u", Credential: "c"},
	)}, 0)
	sdp := offer(t)
	answer, body := s.do(request{method: "POST", path: "/whep/front", body: sdp,
		headers: []string{sdpType + "; charset=utf-8"}})
	h := answer.Header
	if answer.StatusCode != 201 || h.Get("Content-Type") != "application/sdp" || h.Get("ETag") == "" ||
		!strings.HasPrefix(body, "v=0") {
		t.Fatalf("%s %v %s", answer.Status, h, body)
	}
	if links := strings.Join(h.Values("Link"), "\n"); !strings.Contains(links,
		`<stun:stun.example:3478>; rel="ice-server"`) ||
		!strings.Contains(links, `username="u"; credential="c"`) {
		t.Errorf("Link: %s", links)
	}
	for path, tt := range map[string]struct {
		code int
		want string
	}{
		"/whep/rear":             {406, "rear has no video"}, // a picture would never come
		"/whep/left":             {404, "there are: front, rear"},
		"/whep/front?audio=left": {404, "there are: front, rear"},
	} {
		answer, body := s.do(request{method: "POST", path: path, body: sdp, headers: []string{sdpType}})
		if answer.StatusCode != tt.code || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %s: %s", path, answer.Status, body)
		}
	}
	location := locate(t, "/whep/front", answer)
	fragment := "Content-Type: application/trickle-ice-sdpfrag"
	candidate := "a=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
	pwd := "a=ice-pwd:0123456789012345678901\r\n"
	tests := []struct {
		name string
		q    request
		code int
	}{
		{"candidate", request{body: candidate, headers: []string{fragment}}, 204},
		{"candidate with the right ETag", request{body: candidate,
			headers: []string{fragment, "If-Match: " + h.Get("ETag")}}, 204},
		{"end of candidates", request{body: "a=end-of-candidates\r\n", headers: []string{fragment}}, 204},
		{"wrong ETag", request{body: candidate, headers: []string{fragment, `If-Match: "other"`}}, 412},
		{"wrong type", request{body: candidate, headers: []string{sdpType}}, 415},
		{"one of several ETags", request{body: candidate,
			headers: []string{fragment, `If-Match: "other", ` + h.Get("ETag")}}, 204},
		{"any ETag", request{body: candidate, headers: []string{fragment, "If-Match: *"}}, 204},
		{"nothing in it", request{body: "hello", headers: []string{fragment}}, 400},
		{"broken candidate", request{body: "a=candidate:what\r\n", headers: []string{fragment}}, 400},
		{"restart without a password", request{body: "a=ice-ufrag:anew\r\n", headers: []string{fragment}}, 400},
		{"restart with a short name", request{body: "a=ice-ufrag:new\r\n" + pwd, headers: []string{fragment}}, 400},
		{"restart with a short password", request{body: "a=ice-ufrag:anew\r\na=ice-pwd:short\r\n",
			headers: []string{fragment}}, 400},
		{"restart with another's ETag", request{body: "a=ice-ufrag:anew\r\n" + pwd,
			headers: []string{fragment, `If-Match: "other"`}}, 412},
		{"too large", request{body: strings.Repeat(candidate, 2000), headers: []string{fragment}}, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			tt.q.method, tt.q.path = "PATCH", location
			if answer, body := s.do(tt.q); answer.StatusCode != tt.code {
				t.Errorf("status %d, want %d: %s", answer.StatusCode, tt.code, body)
			}
		})
	}
	s.t = t
	if answer, _ := s.do(request{method: "DELETE", path: "/whep/rear/" +
		location[len("/whep/front/"):]}); answer.StatusCode != 404 {
		t.Errorf("DELETE through another device: %s", answer.Status)
	}
	if answer, body := s.do(request{method: "DELETE", path: location}); answer.StatusCode != 200 {
		t.Errorf("DELETE: %s %s", answer.Status, body)
	}
	if answer, _ := s.do(request{method: "DELETE", path: location}); answer.StatusCode != 404 {
		t.Errorf("second DELETE: %s", answer.Status)
	}
	if answer, _ := s.do(request{method: "OPTIONS", path: "/whep/front"}); answer.StatusCode != 204 ||
		answer.Header.Get("Accept-Post") != "application/sdp" {
		t.Errorf("OPTIONS: %s %v", answer.Status, answer.Header)
	}
}

// An ICE restart is answered with the gateway's own credentials and candidates, and another ETag, which is then the one
// that candidates have to name.
func TestWHEPRestart(t *testing.T) {
	s := newSite(t, Config{}, 0)
	answer, sdp := s.do(request{method: "POST", path: "/whep/front", body: offer(t), headers: []string{sdpType}})
	location, first := locate(t, "/whep/front", answer), answer.Header.Get("ETag")
	seen := []string{sdp}
	for i, match := range []string{"*", "", "*"} {
		restart := request{method: "PATCH", path: location,
			body: fmt.Sprintf("a=ice-ufrag:anew%d\r\na=ice-pwd:012345678901234567890%d\r\n", i, i) +
				"a=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n",
			headers: []string{"Content-Type: " + typeFragment}}
		if match != "" {
			restart.headers = append(restart.headers, "If-Match: "+match)
		}
		answer, body := s.do(restart)
		if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != typeFragment {
			t.Fatalf("%s %v: %s", answer.Status, answer.Header, body)
		}
		f, err := rtc.ParseFragment(body)
		if err != nil || f.Ufrag == "" || f.Pwd == "" || len(f.Candidates) == 0 {
			t.Fatalf("%v: %s", err, body)
		}
		if slices.ContainsFunc(seen, func(s string) bool { return strings.Contains(s, f.Ufrag) }) {
			t.Errorf("the credentials are old: %s", body)
		}
		seen = append(seen, body)
		second := answer.Header.Get("ETag")
		trickle := request{method: "PATCH", path: location, body: "a=end-of-candidates\r\n",
			headers: []string{"Content-Type: " + typeFragment, "If-Match: " + first}}
		if answer, _ := s.do(trickle); answer.StatusCode != 412 {
			t.Errorf("the ETag of before: %s", answer.Status)
		}
		trickle.headers[1] = "If-Match: " + second
		if answer, body := s.do(trickle); answer.StatusCode != 204 {
			t.Errorf("the new ETag: %s %s", answer.Status, body)
		}
		first = second
	}
}
