package units

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestSettled: a unit that is just starting is waited for, one that never gets ready is not waited for in vain, and one
// that does not run is seen at once.
func TestSettled(t *testing.T) {
	const limit = 10 * time.Second
	for name, tt := range map[string]struct {
		state  func(since time.Duration) (active, sub string)
		active bool
		took   time.Duration
	}{
		"runs":   {func(time.Duration) (string, string) { return "active", "running" }, true, 0},
		"failed": {func(time.Duration) (string, string) { return "failed", "failed" }, false, 0},
		"starting": {func(since time.Duration) (string, string) {
			if since < 5*time.Second {
				return "activating", "start"
			}
			return "active", "running"
		}, true, 5 * time.Second},
		"crashed once": {func(since time.Duration) (string, string) {
			switch {
			case since < lookAgain:
				return "deactivating", "stop-post"
			case since < 2*lookAgain:
				return "activating", "auto-restart"
			}
			return "active", "running"
		}, true, 2 * lookAgain},
		"never ready": {func(time.Duration) (string, string) { return "activating", "start" }, false, limit},
		"crash loop":  {func(time.Duration) (string, string) { return "deactivating", "stop-post" }, false, limit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c := &Control{Systemctl: func(context.Context, ...string) (string, error) {
					active, sub := tt.state(time.Since(began))
					return fmt.Sprintf("Id=%s\nMainPID=0\nActiveState=%s\nSubState=%s\nResult=success\n", front, active, sub), nil
				}}
				list, err := c.Settled(t.Context(), []string{"front"}, limit)
				if err != nil || len(list) != 1 || list[0].Active != tt.active || time.Since(began) != tt.took {
					t.Errorf("%+v, %v after %s", list, err, time.Since(began))
				}
			})
		})
	}
	broken := errors.New("no systemd")
	c := &Control{Systemctl: func(context.Context, ...string) (string, error) { return "", broken }}
	if _, err := c.Settled(t.Context(), []string{"front"}, limit); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
