package gateway_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/peer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// TestPeerAtAFleet: a Go peer reaches a robot at the gateway of a fleet by the address and token of a browser.
func TestPeerAtAFleet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.json")
	token := map[string]string{}
	for name, robot := range map[string]string{"anna": "", "bob": "rover", "carl": "arm"} {
		secret, _, err := tokens.Create(file, tokens.Request{Name: name, Role: roles.Viewer, Robot: robot})
		if err != nil {
			t.Fatal(err)
		}
		token[name] = secret
	}
	w := newFleetFor(t, file)
	w.joining("rover", nil)
	w.eventually("rover is listed", func() bool {
		_, text := w.code(http.MethodGet, "robots", "Authorization", "Bearer "+token["anna"])
		return strings.Contains(text, `"rover"`)
	})
	for _, tt := range []struct{ name, query, token, refused string }{
		{"nobody served yet", "", token["anna"], ""},
		{"served", "", token["anna"], ""},
		{"the address of a browser", "?token=" + token["anna"], "", ""},
		{"a token for this robot", "", token["bob"], ""},
		{"a token for another", "", token["carl"], "HTTP 404"},
		{"an unknown token", "", "another token of that length", "not known"},
		{"no token", "", "", "a token is needed"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
		robot, err := peer.Dial(ctx, w.base+"r/rover/"+tt.query,
			peer.Options{Token: tt.token, Known: filepath.Join(t.TempDir(), "known"), Log: testLog(t)})
		if err != nil {
			t.Fatal(err)
		}
		err = robot.Wait(ctx)
		switch {
		case tt.refused != "":
			if err == nil || robot.State().State != peer.Refused || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%s: %v", tt.name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", tt.name, err)
		default:
			for frame, err := range robot.Camera("front").Frames(ctx, 8) {
				if err != nil || len(frame.GetData()) == 0 {
					t.Errorf("%s: %v, %v", tt.name, frame, err)
				}
				break
			}
		}
		robot.Close()
		cancel()
	}
}
