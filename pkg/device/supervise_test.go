package device

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/health"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// bareKit is a kit without gRPC and bus.
func bareKit() *Kit {
	return &Kit{ready: make(chan struct{}),
		Log: slog.New(slog.DiscardHandler), health: health.NewServer(), about: &devicev1.Device{State: starting},
		changes: stream.NewTopic[*devicev1.Device](), wake: make(chan struct{}, 1),
	}
}

// TestRetries checks when the driver is run, by the clock of a synctest bubble.
func TestRetries(t *testing.T) {
	const ms = time.Millisecond
	fails := func(context.Context, func()) error { return errors.New("no hardware") }
	flaps := func(_ context.Context, ready func()) error { ready(); return errors.New("loose contact") }
	worksFor := func(d time.Duration) driverFunc {
		return func(_ context.Context, ready func()) error { ready(); time.Sleep(d); return nil }
	}
	for name, tt := range map[string]struct {
		runs []driverFunc // the last one is repeated
		want []time.Duration
	}{
		"missing hardware": {
			runs: []driverFunc{fails},
			want: []time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 2300 * ms, 3100 * ms},
		},
		"hardware that comes and stays for a while": {
			runs: []driverFunc{fails, fails, fails, worksFor(10 * time.Second), fails},
			want: []time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 10800 * ms, 11000 * ms, 11400 * ms},
		},
		"a loose contact does not make it hectic": {
			runs: []driverFunc{flaps},
			want: []time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms},
		},
		"a driver that returns nil": {
			runs: []driverFunc{worksFor(time.Second)},
			want: []time.Duration{0, 1100 * ms, 2200 * ms, 3300 * ms},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				begin, got := time.Now(), []time.Duration{}
				supervise(ctx, bareKit(), driverFunc(func(ctx context.Context, ready func()) error {
					got = append(got, time.Since(begin))
					if len(got) == len(tt.want) {
						cancel()
						return nil
					}
					return tt.runs[min(len(got), len(tt.runs))-1](ctx, ready)
				}))
				if !slices.Equal(got, tt.want) {
					t.Errorf("runs at\n%v, want\n%v", got, tt.want)
				}
			})
		})
	}
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := bareKit()
		ctx, cancel := context.WithCancel(t.Context())
		var lateReady func()
		var seen []string
		see := func() { d := k.Device(); seen = append(seen, d.State.String()+" "+d.StateReason) }
		run := 0
		supervise(ctx, k, driverFunc(func(_ context.Context, ready func()) error {
			run++
			see()
			switch run {
			case 1:
				lateReady = ready
				return errors.New("bad \xff bytes")
			case 2:
				lateReady() // of a run that is over: must not count
				see()
				ready()
				ready()
				see()
				return nil
			case 3:
				k.setState(stopping, "on request")
				ready() // too late
				see()
				return errors.New("nobody wants to know")
			default:
				see()
				cancel()
				return nil
			}
		}))
		want := []string{
			"DEVICE_STATE_STARTING ", "DEVICE_STATE_AWAY bad � bytes", "DEVICE_STATE_AWAY bad � bytes", "DEVICE_STATE_READY ",
			"DEVICE_STATE_AWAY the driver stopped", "DEVICE_STATE_STOPPING on request",
			"DEVICE_STATE_STOPPING on request", "DEVICE_STATE_STOPPING on request",
		}
		if !slices.Equal(seen, want) {
			t.Errorf("saw\n%q, want\n%q", seen, want)
		}
	})
}

func TestSuperviseEndsWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begin := time.Now()
		supervise(ctx, bareKit(), driverFunc(func(context.Context, func()) error { return errors.New("no hardware") }))
		if took := time.Since(begin); took != 50*time.Millisecond {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestSetAttributes(t *testing.T) {
	k := bareKit()
	_, changes := k.watch()
	defer changes.Close()
	k.SetAttributes(map[string]string{"card": "C\xfft", "width_px": "640"})
	before := k.Device()
	k.SetAttributes(map[string]string{"card": "", "height_px": "480", "absent": ""})
	if got := before.Attributes; len(got) != 2 || got["card"] != "C�t" {
		t.Errorf("first %q", got)
	}
	if got := k.Device().Attributes; len(got) != 2 || got["width_px"] != "640" || got["height_px"] != "480" {
		t.Errorf("then %q", got)
	}
	if d, err := changes.Next(t.Context()); err != nil || d.Attributes["height_px"] != "480" || changes.Lost() != 1 {
		t.Errorf("watchers heard %v, %v", d, err)
	}
	k.SetAttributes(map[string]string{"height_px": "480"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := changes.Next(ctx); err == nil {
		t.Errorf("watchers heard of no change: %v", d)
	}
}

func TestPlain(t *testing.T) {
	for _, text := range []string{"", "fine", strings.Repeat("ä", 2000), strings.Repeat("\xff", 5000), "\xff" +
		strings.Repeat("x", maxText)} {
		got := plain(text)
		if !utf8.ValidString(got) || len(got) > 3*maxText || (len(text) <= maxText &&
			utf8.ValidString(text)) != (got == text) {
			t.Errorf("plain(%.20q) = %.20q, %d bytes", text, got, len(got))
		}
	}
}
