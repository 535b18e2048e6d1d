package firmware_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

// heldBack is the shortest time after which a watchdog may stop the motors: watchdogs are set to a quarter of a
// second.
const heldBack = 200 * time.Millisecond

var slow = wire.Command{Left: 60, Right: -60}

func TestWatchdog(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	before := b.ready()
	for range 3 {
		sent := now()
		b.send(slow)
		got := b.until("the watchdog has stopped the motors", func(r record) bool {
			return slices.Equal(r.after(before), []wire.Command{slow, stopped}) && r.last().Command() == stopped &&
				r.last().Flags == wire.FlagWatchdog
		})
		n := len(before.motions)
		driven, stop := got.motions[n].at, got.motions[n+1].at
		if stop-driven < heldBack {
			t.Errorf("stopped %v after the command was executed", stop-driven)
		}
		t.Logf("stopped %v after the command was sent, %v after it was executed", stop-sent, stop-driven)
		before = got
	}
}

// A driver who sends often enough is not stopped.
func TestWatchdogIsHeldOff(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	before := b.ready()
	var pace time.Duration // the longest between two commands
	last := now()
	got := b.while("the motors run for 2 s of the board's clock", func() {
		pace = max(pace, now()-last)
		last = now()
		b.send(slow)
	}, 100*time.Millisecond, func(r record) bool { return r.last().Uptime > before.last().Uptime+2000 })
	if commands := got.after(before); !slices.Equal(commands, []wire.Command{slow}) && pace < heldBack {
		t.Errorf("the motors received %v, although a command came every %v at least", commands, pace)
	}
}

// Frames with a wrong CRC do not count as a sign of life.
func TestWatchdogIgnoresWrongFrames(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	before := b.ready()
	wrong := slow.Encode()
	wrong[5] ^= 0xFF
	b.send(slow)
	b.while("the watchdog has stopped the motors", func() { b.write(wrong) }, 20*time.Millisecond, func(r record) bool {
		return slices.Equal(r.after(before), []wire.Command{slow, stopped}) && r.last().Flags == wire.FlagWatchdog
	})
}

// A sketch that hangs cannot watch anything. The processor's own watchdog resets it, and everything starts as after
// power-on.
func TestHang(t *testing.T) {
	for name, hang := range map[string]wire.Command{
		"in a loop":               both(101),
		"with interrupts off too": both(102),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBoard(t, "hang")
			before := b.driving(slow, "it has driven for some time", func(r record) bool {
				return r.last().Uptime >= 200 && r.last().Command() == slow
			})
			b.send(hang)
			// The commands that come while it hangs must not keep the motors running.
			var hung []motion
			b.driving(slow, "it hangs, stops, and can be driven again", func(r record) bool {
				hung = r.motions[len(before.motions):]
				hung = hung[max(slices.IndexFunc(hung, func(m motion) bool { return m.Command == hang }), 0):]
				return len(hung) >= 3 && hung[0].Command == hang && rebooted(r) && r.last().Command() == slow
			})
			if hung[1].Command != stopped || hung[2].Command != slow {
				t.Errorf("the motors got %v", hung)
			}
			after := hung[1].at - hung[0].at
			if after < heldBack {
				t.Errorf("stopped %v after it began to hang", after)
			}
			t.Logf("stopped %v after it began to hang", after)
		})
	}
}

func rebooted(r record) bool {
	return !slices.IsSortedFunc(r.telemetry, func(a, b wire.Telemetry) int { return cmp.Compare(a.Uptime, b.Uptime) })
}
