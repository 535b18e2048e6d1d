package server

import (
	"strings"
	"testing"
)

// TestFixedPlayout: a delay that makes no sense is refused where a player could not tell why it has another one.
func TestFixedPlayout(t *testing.T) {
	s := newSite(t, Config{}, 0)
	sdp := offer(t)
	for _, tt := range []struct {
		query string
		code  int // of WHEP
		says  string
	}{
		{"", 201, ""}, {"?playout=0", 201, ""}, {"?playout=100-1000", 201, ""},
		{"?playout=", 400, "write, for example, 100-1000"},
		{"?playout=5", 400, "write, for example, 100-1000"},
		{"?playout=0-100", 400, "a greatest delay above 500"},
	} {
		answer, body := s.do(request{method: "POST", path: "/whep/front" + tt.query, body: sdp, headers: []string{sdpType}})
		if answer.StatusCode != tt.code || tt.says != "" && !strings.Contains(body, tt.says) {
			t.Errorf("WHEP with %q: %s %s", tt.query, answer.Status, body)
		}
		// The same for sessions, whose socket a browser refuses without a reason.
		code := tt.code
		if code == 201 {
			code = 426
		}
		for _, method := range []string{"GET", "POST"} {
			var headers []string
			if method == "GET" && tt.says != "" {
				headers = []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-Websocket-Key: a", "Sec-Websocket-Version: 13"}
			}
			answer, body := s.do(request{method: method, path: "/signal" + tt.query, headers: headers})
			if answer.StatusCode != code || tt.says != "" && !strings.Contains(body, tt.says) {
				t.Errorf("%s /signal%s: %s %s", method, tt.query, answer.Status, body)
			}
		}
	}
}
