package server

import (
	"net/http"
	"strings"
	"testing"
)

// TestNames tries whom the gateway answers to.
func TestNames(t *testing.T) {
	const foreign, token = "robot.example", "secret"
	bearer := "Authorization: Bearer " + token
	tests := []struct {
		name    string
		config  Config
		host    string
		headers []string
		code    int
		says    string
	}{
		{"loopback", Config{}, "127.0.0.1:8080", nil, 200, ""},
		{"a name of loopback", Config{}, "robot.localhost", nil, 200, ""},
		{"no other without a token", Config{}, foreign, nil, 421, "gateway.token"},
		{"an address of the network", Config{}, "192.168.1.5:8080", nil, 421, "gateway.hosts"},
		{"a proxy says otherwise", Config{}, foreign, []string{"X-Forwarded-Host: localhost", "Forwarded: host=localhost"},
			421, "gateway.hosts"},
		{"a listed one", Config{Hosts: []string{foreign}}, "Robot.Example:443", nil, 200, ""},
		{"one that is not listed", Config{Hosts: []string{foreign}}, "evil.example", nil, 421, "add it to gateway.hosts"},
		{"loopback is always listed", Config{Hosts: []string{foreign}}, "[::1]:80", nil, 200, ""},
		{"any with a token", Config{Token: token}, foreign, []string{bearer}, 200, ""},
		{"any with a token wants it", Config{Token: token}, foreign, nil, 401, "token"},
		{"listed ones with a token", Config{Token: token, Hosts: []string{foreign}}, "evil.example", []string{bearer}, 421,
			"gateway.hosts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, tt.config, 0)
			answer, body := s.do(request{path: "/devices", host: tt.host, headers: tt.headers})
			if answer.StatusCode != tt.code || !strings.Contains(body, tt.says) {
				t.Errorf("status %d, want %d and %q: %s", answer.StatusCode, tt.code, tt.says, body)
			}
			if answer, _ := s.do(request{path: "/healthz", host: tt.host}); answer.StatusCode != 200 {
				t.Errorf("healthz: %s", answer.Status)
			}
		})
	}
}

// TestOrigins tries which pages may use the gateway, directly and behind proxies that put another name into Host.
func TestOrigins(t *testing.T) {
	const token = "secret"
	bearer := "Authorization: Bearer " + token
	sameOrigin := "Sec-Fetch-Site: same-origin"
	tests := []struct {
		name    string
		config  Config
		host    string // empty: the right one
		headers []string
		allowed bool
	}{
		{"its own, by https through a proxy", Config{Token: token}, "robot.example",
			[]string{bearer, "Origin: https://robot.example"}, true},
		{"its own, with the port spelt out", Config{Token: token}, "robot.example:443",
			[]string{bearer, "Origin: https://robot.example"}, true},
		{"its own of another scheme", Config{Token: token}, "robot.example:443",
			[]string{bearer, "Origin: http://robot.example"}, false},
		{"another port", Config{}, "127.0.0.1:8085", []string{"Origin: http://127.0.0.1:8090"}, false},
		{"another port of this machine", Config{}, "127.0.0.1:8085",
			[]string{"Origin: http://127.0.0.1:8090", "Sec-Fetch-Site: same-site"}, false},
		{"local proxy, the browser vouches", Config{}, "127.0.0.1:8085",
			[]string{"Origin: http://127.0.0.1:8090", sameOrigin}, true},
		{"local proxy under a foreign name", Config{}, "127.0.0.1:8085",
			[]string{"Origin: http://evil.example:8090", sameOrigin}, false},
		{"proxy under a listed name", Config{Hosts: []string{"robot.example"}}, "127.0.0.1:8085",
			[]string{"Origin: https://robot.example", sameOrigin}, true},
		{"proxy and token, the browser vouches", Config{Token: token}, "127.0.0.1:8085",
			[]string{bearer, "Origin: https://robot.example", sameOrigin}, true},
		{"proxy and token, nobody vouches", Config{Token: token}, "127.0.0.1:8085",
			[]string{bearer, "Origin: http://robot.example"}, false},
		{"proxy and token, the proxy vouches", Config{Token: token}, "127.0.0.1:8085",
			[]string{bearer, "Origin: http://robot.example", "X-Forwarded-Host: robot.example"}, true},
		{"two proxies", Config{Token: token}, "127.0.0.1:8085",
			[]string{bearer, "Origin: https://robot.example", "X-Forwarded-Host: robot.example, inner.example"}, true},
		{"a proxy vouches for another page", Config{Token: token}, "127.0.0.1:8085",
			[]string{bearer, "Origin: https://evil.example", "X-Forwarded-Host: robot.example"}, false},
		{"without a token a proxy vouches for no name", Config{}, "127.0.0.1:8085",
			[]string{"Origin: http://evil.example", "X-Forwarded-Host: evil.example"}, false},
		{"cross-site with a token", Config{Token: token}, "", []string{bearer, "Origin: https://evil.example",
			"Sec-Fetch-Site: cross-site"}, false},
		{"sandboxed", Config{Token: token}, "", []string{bearer, "Origin: null", sameOrigin}, false},
		{"no origin at all", Config{Token: token}, "", []string{bearer, "Origin: ://", sameOrigin}, false},
		{"listed", Config{Origins: []string{"https://friend.example"}}, "", []string{"Origin: https://friend.example"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, tt.config, 0)
			answer, body := s.do(request{path: "/devices", host: tt.host, headers: tt.headers})
			switch {
			case tt.allowed && answer.StatusCode != http.StatusOK:
				t.Errorf("status %d: %s", answer.StatusCode, body)
			case !tt.allowed && (answer.StatusCode != http.StatusForbidden || !strings.Contains(body, "gateway.origins") ||
				!strings.Contains(body, "proxy_set_header Host")):
				t.Errorf("status %d, want 403 and two remedies: %s", answer.StatusCode, body)
			}
		})
	}
}

// TestPreflight checks that no page elsewhere may send what a proxy vouches with.
func TestPreflight(t *testing.T) {
	s := newSite(t, Config{Token: "secret", Origins: []string{"https://friend.example"}}, 0)
	ask := func(origin string) *http.Response {
		answer, _ := s.do(request{method: "OPTIONS", path: "/whep/front", headers: []string{
			"Origin: " + origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-forwarded-host"}})
		return answer
	}
	if answer := ask("https://evil.example"); answer.StatusCode != http.StatusForbidden {
		t.Error(answer.Status)
	}
	if answer := ask("https://friend.example"); answer.StatusCode != http.StatusNoContent ||
		strings.Contains(strings.ToLower(answer.Header.Get("Access-Control-Allow-Headers")), "forwarded") {
		t.Errorf("%s %v", answer.Status, answer.Header)
	}
}
