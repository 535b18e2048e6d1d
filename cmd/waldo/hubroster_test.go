package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus/hub"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

// TestRoster: robots that come and go are one line each, and a link that flaps is not many.
func TestRoster(t *testing.T) {
	const come, gone = "a robot is connected", "has left"
	for name, tt := range map[string]struct {
		links string // one second each: 1 linked, 0 not, - not in the file
		want  []string
	}{
		"never":             {"000", nil},
		"comes":             {"0111", []string{come}},
		"goes soon":         {"1" + strings.Repeat("0", 30), []string{come, gone}},
		"removed":           {"11--", []string{come, "no longer in the file"}},
		"away, and removed": {"1" + strings.Repeat("0", 20) + "-", []string{come, gone}},
		"a blink":           {"1" + strings.Repeat("0", 5) + strings.Repeat("1", 60), []string{come}},
		"flaps":             {strings.Repeat("10", 30), []string{come, gone, come, gone}},
	} {
		var log logtest.Text
		r, begin := roster{}, time.Unix(1000, 0)
		for i, link := range tt.links {
			robots := map[string]hub.Member{"rover": {}}
			if link == '-' {
				robots = nil
			}
			r.look(begin.Add(time.Duration(i)*time.Second), robots, func(string) bool { return link == '1' },
				slog.New(slog.NewTextHandler(&log, nil)))
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if log.String() == "" {
			lines = nil
		}
		if len(lines) != len(tt.want) {
			t.Errorf("%s: %q, want %q", name, lines, tt.want)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(lines[i], want) || !strings.Contains(lines[i], "robot=rover") {
				t.Errorf("%s: %q, want %q", name, lines[i], want)
			}
		}
	}
}
