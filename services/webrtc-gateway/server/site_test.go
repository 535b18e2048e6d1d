package server

import (
	"strings"
	"testing"
)

// TestForeignPages sends what browsers send: for a picture, a frame or a link there is no Origin.
func TestForeignPages(t *testing.T) {
	picture := []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}
	link := []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	tests := []struct {
		name, path string
		headers    []string
		code       int
	}{
		{"picture on a foreign page", "/snapshot/front.jpg", append(picture, "Sec-Fetch-Site: cross-site"), 403},
		{"picture on a page of another port", "/snapshot/front.jpg", append(picture, "Sec-Fetch-Site: same-site"), 403},
		{"picture with a foreign referrer", "/snapshot/front.jpg",
			append(picture, "Sec-Fetch-Site: cross-site", "Referer: https://evil.example/x"), 403},
		{"picture with a referrer like a friend's", "/snapshot/front.jpg",
			append(picture, "Sec-Fetch-Site: cross-site",
				"Referer: https://friend.example.evil.example/https://friend.example"), 403},
		{"picture on a friendly page", "/snapshot/front.jpg", append(picture, "Sec-Fetch-Site: cross-site",
			"Referer: https://friend.example/"), 200},
		{"picture on a friendly page, with CORS", "/snapshot/front.jpg",
			[]string{"Sec-Fetch-Site: cross-site", "Origin: https://friend.example"}, 200},
		{"picture on the robot's own page", "/snapshot/front.jpg", append(picture, "Sec-Fetch-Site: same-origin"), 200},
		{"picture opened by its address", "/snapshot/front.jpg", append(link, "Sec-Fetch-Site: none"), 200},
		{"picture opened by a link of a foreign page", "/snapshot/front.jpg", append(link, "Sec-Fetch-Site: cross-site"),
			403},
		{"program", "/snapshot/front.jpg", nil, 200},
		{"page opened by a link of a foreign page", "/", append(link, "Sec-Fetch-Site: cross-site"), 200},
		{"page opened by its address", "/", append(link, "Sec-Fetch-Site: none"), 200},
		{"health", "/healthz", append(picture, "Sec-Fetch-Site: cross-site"), 200},
		{"devices on a foreign page", "/devices", append(picture, "Sec-Fetch-Site: cross-site"), 403},
		{"metrics on a foreign page", "/metrics", append(picture, "Sec-Fetch-Site: cross-site"), 403},
		{"signalling from a foreign page", "/signal", []string{"Sec-Fetch-Mode: websocket", "Sec-Fetch-Site: cross-site"},
			403},
		{"WHEP in a frame", "/whep/front", []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe",
			"Sec-Fetch-Site: cross-site"}, 403},
	}
	s := newSite(t, Config{Origins: []string{"https://friend.example"}}, 0)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			answer, body := s.do(request{path: tt.path, headers: tt.headers})
			if answer.StatusCode != tt.code {
				t.Errorf("status %d, want %d: %s", answer.StatusCode, tt.code, body)
			}
			if tt.code == 403 && !strings.Contains(body, "gateway.origins") {
				t.Errorf("no remedy: %s", body)
			}
			// A browser hides an answer with another policy from a page elsewhere, which looks at the health to find
			// a lost gateway.
			shared := strings.Contains(tt.name, "friendly") || tt.path == "/healthz"
			if policy := answer.Header.Get("Cross-Origin-Resource-Policy"); (policy == "cross-origin") != shared {
				t.Errorf("Cross-Origin-Resource-Policy %q", policy)
			}
		})
	}
}
