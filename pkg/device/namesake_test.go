package device

import (
	"strings"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// TestNamesakes: what is heard under the name of a device, and which of them counts as another process.
func TestNamesakes(t *testing.T) {
	const own, other, third = 1, 2, 3
	type message struct {
		at    time.Duration
		epoch int64
		state devicev1.DeviceState
	}
	every := func(epoch int64, times ...time.Duration) (all []message) {
		for _, at := range times {
			all = append(all, message{at, epoch, ready})
		}
		return all
	}
	const s, ms = time.Second, time.Millisecond
	for name, tt := range map[string]struct {
		heard []message
		at    time.Duration
		want  int64 // epoch, 0 for none
	}{
		"nobody":                             {nil, 10 * s, 0},
		"itself":                             {every(own, 0, s, 2*s, 3*s, 4*s), 4 * s, 0},
		"no epoch":                           {every(0, 0, s, 2*s, 3*s, 4*s), 4 * s, 0},
		"the last words of a predecessor":    {every(other, 0, 10*ms, 300*ms), 400 * ms, 0},
		"what of it was on its way, at once": {every(other, s, s, s+ms, s+ms, s+2*ms, s+2*ms), 2 * s, 0},
		"lives of a second each": {append(append(every(2, 0, s), every(3, 2*s, 3*s)...), every(4, 4*s, 5*s)...),
			5 * s, 0},
		"another that lives":              {every(other, 0, s, 2*s, 3*s), 3 * s, other},
		"not certain yet":                 {every(other, 0, s, 2*s), 2 * s, 0},
		"with a message lost":             {every(other, 0, 2*s, 3*s), 3 * s, other},
		"still there":                     {every(other, 0, s, 2*s, 3*s), 5 * s, other},
		"silent":                          {every(other, 0, s, 2*s, 3*s), 6 * s, 0},
		"back after an hour, not certain": {every(other, 0, s, 2*s, 3*s, 3600*s), 3600 * s, 0},
		"it said goodbye": {append(every(other, 0, s, 2*s, 3*s), message{3500 * ms, other, stopping}),
			3500 * ms, 0},
		"one of three": {append(every(other, 0, s, 2*s, 3*s), every(third, 3*s)...), 3 * s, other},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			n := namesakes{own: own}
			for _, m := range tt.heard {
				n.heard(&devicev1.Device{Epoch: m.epoch, State: m.state}, start.Add(m.at))
			}
			if got := n.find(start.Add(tt.at)).GetEpoch(); got != tt.want {
				t.Errorf("found %d, want %d", got, tt.want)
			}
		})
	}
}

// TestManyNamesakes: however many speak, little is remembered.
func TestManyNamesakes(t *testing.T) {
	n := namesakes{own: 1}
	for epoch := range int64(1000) {
		n.heard(&devicev1.Device{Epoch: epoch}, time.Now())
	}
	if len(n.known) > maxNamesakes {
		t.Errorf("%d are remembered", len(n.known))
	}
}

// TestTwoOfOneName say so, for as long as they are two, and nothing when one is restarted.
func TestTwoOfOneName(t *testing.T) {
	server := startServer(t, embedded.Config{})
	settings := Settings{NATS: server.URL()}
	a := start(t, kindOf(work), settings)
	for range 3 { // restarts
		a.Stop()
		a = start(t, kindOf(work), settings)
	}
	seen := watch(t, a)
	untilState(t, seen, ready)
	b := start(t, kindOf(work), settings)
	d := until(t, seen, "the other", func(d *devicev1.Device) bool {
		if d.State != ready {
			t.Errorf("the state is %v", d.State)
		}
		return d.StateReason != ""
	})
	for _, want := range []string{"r/d", b.GRPCAddress(), "rename"} {
		if !strings.Contains(d.StateReason, want) {
			t.Errorf("%q does not name %q", d.StateReason, want)
		}
	}
	until(t, watch(t, b), "the first",
		func(d *devicev1.Device) bool { return strings.Contains(d.StateReason, a.GRPCAddress()) })
	b.Stop()
	until(t, seen, "alone again", func(d *devicev1.Device) bool { return d.StateReason == "" && a.Kit().Namesake() == "" })
}
