package actuator

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire is hardware that notes what reaches it.
type wire struct {
	mu   sync.Mutex
	said []string
	at   []time.Time
}

func (w *wire) say(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said, w.at = append(w.said, what), append(w.at, time.Now())
}

func (w *wire) Safe(why control.Cause) { w.say(why.String()) }

func (w *wire) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said)
}

// bench is an actuator without a device around it, whose time a test can hold in its hands.
func bench(t testing.TB, w *wire) *Actuator {
	t.Helper()
	return benchOf(t, w, Config{})
}

func benchOf(t testing.TB, w *wire, c Config) *Actuator {
	t.Helper()
	l, err := newLatch(t.TempDir(), "r", "d")
	if err != nil {
		t.Fatal(err)
	}
	kit := &device.Kit{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}
	start := time.Now()
	a := newActuator(kit, c, w, `{"left":0}`, l, func() control.Clock { return time.Since(start) })
	a.start()
	t.Cleanup(a.close)
	return a
}

// pilot is a driver that keeps to the rules.
type pilot struct {
	a        *Actuator
	wire     *wire
	lease    int64
	sequence int64
	heard    *durationpb.Duration
}

func acquire(t testing.TB, a *Actuator, w *wire) *pilot {
	t.Helper()
	r, err := (&service{a: a}).Acquire(context.Background(), &controlv1.AcquireRequest{Holder: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	granted := r.GetLease()
	if granted.GetTtl().AsDuration() != control.LeaseTTL || granted.GetLife().AsDuration() != control.DefaultLife ||
		granted.GetMaxLife().AsDuration() != control.MaxLife {
		t.Errorf("the lease does not state its rules: %v", granted)
	}
	return &pilot{a: a, wire: w, lease: granted.GetEpoch(), heard: r.GetState().GetClock()}
}

// send sends a command, neutral if it is "0", and returns its report.
func (p *pilot) send(what string) (*controlv1.CommandReport, error) {
	p.sequence++
	report, err := p.a.Submit(context.Background(),
		&controlv1.CommandHeader{LeaseEpoch: p.lease, Sequence: p.sequence, Heard: p.heard},
		Rigid(what == "0", func(time.Time) { p.wire.say(what) }))
	if report != nil {
		p.heard = report.GetClock()
	}
	return report, err
}

func (p *pilot) mustSend(t testing.TB, what string) {
	t.Helper()
	if _, err := p.send(what); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestDeadman(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		a := bench(t, w)
		a.Attach()
		p := acquire(t, a, w)
		p.mustSend(t, "0")
		time.Sleep(100 * time.Millisecond)
		p.mustSend(t, "1")
		last := time.Now()
		time.Sleep(time.Minute)
		want := []string{"start", "0", "1", "deadman", "lease_lapsed"}
		if !slices.Equal(w.all(), want) {
			t.Fatalf("on the wire: %v, want %v", w.all(), want)
		}
		if after := w.at[3].Sub(last); after != control.DefaultDeadman {
			t.Errorf("the deadman fired after %v", after)
		}
		if after := w.at[4].Sub(last); after != control.LeaseTTL {
			t.Errorf("the lease ended after %v", after)
		}
	})
}

// TestCommandsGoOn: as long as they come in time nothing stops them, and the timer of the deadman costs no command.
func TestCommandsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		a := bench(t, w)
		a.Attach()
		p := acquire(t, a, w)
		for i := range 1000 {
			p.mustSend(t, strconv.Itoa(i))
			time.Sleep(199 * time.Millisecond)
		}
		if n := len(w.all()); n != 1001 {
			t.Errorf("%d on the wire, want the stop of the beginning and 1000 commands", n)
		}
	})
}

func TestAway(t *testing.T) {
	w := &wire{}
	a := bench(t, w)
	p := acquire(t, a, w)
	verdict := func(what string, want controlv1.CommandVerdict) {
		t.Helper()
		if report, _ := p.send(what); report.GetVerdict() != want {
			t.Errorf("%s: %v, want %v", what, report.GetVerdict(), want)
		}
	}
	verdict("0", controlv1.CommandVerdict_COMMAND_VERDICT_AWAY)
	a.Attach()
	verdict("0", controlv1.CommandVerdict_COMMAND_VERDICT_BEFORE_STOP)
	verdict("1", controlv1.CommandVerdict_COMMAND_VERDICT_NOT_NEUTRAL)
	verdict("0", controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED)
	a.Detach()
	verdict("1", controlv1.CommandVerdict_COMMAND_VERDICT_AWAY)
	p.lease++
	verdict("1", controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE)
	if want := []string{"start", "0", "away"}; !slices.Equal(w.all(), want) {
		t.Errorf("on the wire: %v, want %v", w.all(), want)
	}
}

// TestNothingOvertakesAStop has many send while e-stops are pressed: once a stop has been put on the wire no command
// follows it.
func TestNothingOvertakesAStop(t *testing.T) {
	for range 50 {
		w := &wire{}
		a := bench(t, w)
		a.Attach()
		p := acquire(t, a, w)
		p.mustSend(t, "0")
		var senders sync.WaitGroup
		for i := range int64(8) {
			senders.Go(func() {
				for n := range int64(50) {
					h := &controlv1.CommandHeader{LeaseEpoch: p.lease, Sequence: 2 + 8*n + i, Heard: durationpb.New(a.clock())}
					_, _ = a.Submit(t.Context(), h, Rigid(false, func(time.Time) { w.say("1") })) // refusals are expected
				}
			})
		}
		a.press(actor{name: "ann"}, "")
		senders.Wait()
		said := w.all()
		stop := slices.Index(said, "e_stop")
		if after := said[stop+1:]; stop < 0 || slices.Contains(after, "0") || slices.Contains(after, "1") {
			t.Fatalf("after the stop comes %q", after) // other stops may, after a while without commands
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, h := range []*controlv1.CommandHeader{
		nil, {}, {LeaseEpoch: 1, Sequence: 1, Heard: durationpb.New(0)},
		{LeaseEpoch: -1, Sequence: -1, Heard: durationpb.New(-1)},
		{LeaseEpoch: 1, Sequence: 1 << 62, Heard: &durationpb.Duration{Seconds: 1 << 62, Nanos: -1},
			Life: durationpb.New(time.Hour)},
	} {
		data, err := proto.Marshal(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	w := &wire{}
	a := bench(f, w)
	a.Attach()
	p := acquire(f, a, w)
	f.Fuzz(func(t *testing.T, data []byte) {
		var h controlv1.CommandHeader
		if proto.Unmarshal(data, &h) != nil {
			return
		}
		accepted := false
		report, err := a.Submit(t.Context(), &h, Rigid(false, func(time.Time) { accepted = true }))
		if accepted || err == nil {
			t.Errorf("accepted without a neutral command before: %v", report)
		}
		h.LeaseEpoch = p.lease
		if _, err := a.Submit(t.Context(), &h, Rigid(false, func(time.Time) { accepted = true })); accepted || err == nil {
			t.Errorf("accepted without a neutral command before, with the right lease")
		}
	})
}
