package interest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/uplink/interest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHolds(t *testing.T) {
	var table interest.Table
	now := time.Unix(1000, 0)
	table.Hold("video", "a", 0, now) // ends what was never there
	table.Hold("video", "a", 3*time.Second, now)
	table.Hold("video", "b", time.Second, now)
	table.Hold("audio", "a", time.Second, now)
	for _, tt := range []struct {
		after        time.Duration
		video, audio bool
	}{
		{0, true, true}, {900 * time.Millisecond, true, true}, {time.Second, true, false}, {3 * time.Second, false, false},
	} {
		table.Expire(now.Add(tt.after))
		if table.Held("video") != tt.video || table.Held("audio") != tt.audio {
			t.Errorf("after %v: video %v, audio %v", tt.after, table.Held("video"), table.Held("audio"))
		}
	}
	table.Hold("video", "a", time.Second, now)
	table.Hold("video", "a", 0, now)
	if table.Held("video") || table.Streams() != 0 {
		t.Error("a hold that was ended is still there")
	}
}

// TestRefuses: what a device refuses is no hold.
func TestRefuses(t *testing.T) {
	var table interest.Table
	now := time.Unix(1000, 0)
	table.Hold("video", "", time.Second, now)
	table.Hold("video", strings.Repeat("a", 129), time.Second, now)
	table.Hold("video", "a", time.Hour, now)
	table.Hold("video", "a", -time.Second, now)
	if table.Streams() != 0 {
		t.Error("a device would not have taken this hold")
	}
	for i := range 3000 {
		table.Hold("video", fmt.Sprint(i), time.Second, now)
	}
	table.Hold("video", "2999", 0, now)
	for i := range 1000 {
		table.Hold("video", fmt.Sprint(i), 0, now)
	}
	if table.Held("video") {
		t.Error("more than 1000 holders are remembered")
	}
}
