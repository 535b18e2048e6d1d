package reports

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	linux "github.com/holoplot/go-evdev"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/input/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

func key(c linux.EvCode, v int32) source.Event {
	return source.Event{Type: linux.EV_KEY, Code: c, Value: v}
}
func abs(c linux.EvCode, v int32) source.Event {
	return source.Event{Type: linux.EV_ABS, Code: c, Value: v}
}

// pad has a stick of 0 to 255 that is at 0 until its first report, a trigger, and fingers.
func pad() source.Info {
	axes := []source.Axis{}
	for _, c := range []linux.EvCode{linux.ABS_X, linux.ABS_Y, linux.ABS_Z, linux.ABS_RZ, linux.ABS_MT_POSITION_X} {
		axes = append(axes, source.Axis{Code: c, Maximum: 255})
	}
	return source.Info{Driver: "toy", Kind: source.Gamepad, Axes: axes}
}

func stand(x, y, z, rz int32) map[linux.EvCode]int32 {
	return map[linux.EvCode]int32{linux.ABS_X: x, linux.ABS_Y: y, linux.ABS_Z: z, linux.ABS_RZ: rz}
}

func lines(events []*inputv1.Event) (list []string) {
	for _, e := range events {
		list = append(list, fmt.Sprintf("%s %d %.3g", e.GetName(), e.GetValue(), e.GetNormalized()))
	}
	return list
}

// next reads the next report and checks it.
func next(t *testing.T, r *Reader, sequence int64, resync bool, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got.GetSequence() != sequence || got.GetResync() != resync || !slices.Equal(lines(got.GetEvents()), want) {
		t.Errorf("got report %d, resync %v, %q; want %d, %v, %q",
			got.GetSequence(), got.GetResync(), lines(got.GetEvents()), sequence, resync, want)
	}
}

func TestResyncTellsWhatIsDifferent(t *testing.T) {
	h := New(7, Config{})
	r := h.Open()
	defer r.Close()
	at := time.Now()
	h.Opened(pad(), source.State{Keys: []linux.EvCode{linux.BTN_EAST, linux.KEY_A}, Axes: stand(128, 0, 0, 0)})
	next(t, r, 0, true, "KEY_A 1 1", "BTN_EAST 1 1", "ABS_X 128 0", "ABS_Y 0 -1", "ABS_Z 0 0", "ABS_RZ 0 0")
	h.Changed(at, []source.Event{key(linux.KEY_A, 2), abs(linux.ABS_X, 255)})
	next(t, r, 1, false, "KEY_A 2 1", "ABS_X 255 1")
	h.Resynced(at, source.State{Keys: []linux.EvCode{linux.KEY_A, linux.KEY_B}, Axes: stand(255, 128, 9, 0)})
	next(t, r, 2, true, "BTN_EAST 0 0", "KEY_B 1 1", "ABS_Y 128 0", "ABS_Z 9 0.0353")
	// a device that does not report the positions of its axes
	h.Resynced(at, source.State{Keys: []linux.EvCode{linux.KEY_A, linux.KEY_B}})
	next(t, r, 3, true)
	h.Detach(errors.New("it was unplugged"))
	next(t, r, 4, true, "KEY_A 0 0", "KEY_B 0 0", "ABS_X 128 0", "ABS_Z 0 0")
	h.Detach(errors.New("it is still away"))
	h.Opened(source.Info{Axes: []source.Axis{{Code: linux.ABS_GAS, Maximum: 9}}}, source.State{}) // another device
	next(t, r, 5, true, "ABS_GAS 0 0")
	s, err := h.State()
	if err != nil || s.GetSequence() != 5 || s.GetEpoch() != 7 || len(s.GetAxes()) != 1 {
		t.Errorf("state %v %v", s, err)
	}
}

// TestSilentPad is about a pad that has not been touched since it was plugged in: the kernel reports 0
// for all of its axes.
func TestSilentPad(t *testing.T) {
	h := New(1, Config{})
	r := h.Open()
	defer r.Close()
	h.Opened(pad(), source.State{Axes: stand(0, 0, 0, 0)})
	next(t, r, 0, true, "ABS_X 128 0", "ABS_Y 128 0", "ABS_Z 0 0", "ABS_RZ 0 0")
	h.Changed(time.Now(), []source.Event{key(linux.BTN_SOUTH, 1)})
	next(t, r, 1, false, "BTN_SOUTH 1 1")
	h.Resynced(time.Now(), source.State{Keys: []linux.EvCode{linux.BTN_SOUTH}, Axes: stand(0, 0, 0, 0)})
	next(t, r, 2, true)
	// Its first report: the left stick is pushed up, so ABS_Y does not change for the kernel, and the
	// right one is in the middle.
	h.Changed(time.Now(), []source.Event{abs(linux.ABS_X, 126), abs(linux.ABS_Z, 128), abs(linux.ABS_RZ, 127)})
	next(t, r, 3, false, "ABS_X 126 -0.0156", "ABS_Z 128 0", "ABS_RZ 127 -0.00781", "ABS_Y 0 -1")
	_, axes, _ := h.Info()
	for _, a := range axes {
		if c := a.GetCode(); a.GetCentered() != (c <= linux.ABS_RZ) {
			t.Errorf("axis %v", a)
		}
	}
	h.Detach(errors.New("gone"))
	next(t, r, 4, true, "BTN_SOUTH 0 0", "ABS_X 128 0", "ABS_Y 128 0", "ABS_RZ 128 0")

	h.Opened(pad(), source.State{Axes: stand(0, 0, 0, 0)})
	next(t, r, 5, true, "ABS_Z 0 0", "ABS_RZ 0 0")
}

func TestFingersAreNotInTheState(t *testing.T) {
	h := New(1, Config{})
	h.Opened(pad(), source.State{Axes: stand(128, 128, 0, 0)})
	r := h.Open()
	defer r.Close()
	h.Changed(time.Now(), []source.Event{abs(linux.ABS_MT_POSITION_X, 255),
		{Type: linux.EV_SYN, Code: linux.SYN_MT_REPORT}})
	next(t, r, 1, false, "ABS_MT_POSITION_X 255 1")
	// not configured: no report
	h.Changed(time.Now(), []source.Event{{Type: linux.EV_MSC, Code: linux.MSC_SCAN, Value: 4}})
	h.Detach(errors.New("gone"))
	next(t, r, 2, true)
}

func TestSlowReader(t *testing.T) {
	registry := prometheus.NewRegistry()
	h := New(1, Config{Metrics: registry})
	h.Opened(pad(), source.State{Axes: stand(128, 128, 0, 0)})
	slow, quick, feed := h.Open(), h.Open(), h.Feed()
	defer feed.Close()
	for i := range int64(Queue) {
		h.Changed(time.Now(), []source.Event{key(linux.BTN_SOUTH, int32(i%2))})
		next(t, quick, i+1, false, fmt.Sprintf("BTN_SOUTH %d %d", i%2, i%2))
	}
	next(t, slow, 1, false, "BTN_SOUTH 0 0")
	h.Changed(time.Now(), []source.Event{key(linux.BTN_SOUTH, 1)})
	next(t, slow, 2, false, "BTN_SOUTH 1 1") // it is as far behind as it may be
	for range 2 {
		h.Changed(time.Now(), []source.Event{key(linux.BTN_SOUTH, 1)})
	}
	if got, err := slow.Next(t.Context()); !errors.Is(err, ErrTooSlow) {
		t.Errorf("got %v %v, not the end", got, err)
	}
	next(t, quick, Queue+1, false, "BTN_SOUTH 1 1")
	slow.Close()
	quick.Close()
	if _, err := slow.Next(t.Context()); err == nil {
		t.Error("a closed reader gives reports")
	}
	if got, err := feed.Next(t.Context()); err != nil || got.GetSequence() != 4 || feed.Lost() != 3 {
		t.Errorf("the feed continues with %v %v, having lost %d", got, err, feed.Lost())
	}
	for name, want := range map[string]float64{"slow_readers_total": 1, "readers": 0, "reports_total": Queue + 4} {
		if n := gather(t, registry, "waldo_input_"+name); n != want {
			t.Errorf("%s is %v, want %v", name, n, want)
		}
	}
}

// gather reads a metric without labels.
func gather(t *testing.T, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// TestOpenLeavesNothingOut opens readers while reports are made without a pause: the first report read
// is the one after the state.
func TestOpenLeavesNothingOut(t *testing.T) {
	h := New(1, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	var making sync.WaitGroup
	making.Go(func() {
		for i := int32(0); ctx.Err() == nil; i++ {
			h.Changed(time.Now(), []source.Event{key(linux.BTN_SOUTH, i%2)})
		}
	})
	for range 5000 {
		r := h.Open()
		report, err := r.Next(ctx)
		if want := r.State.GetSequence() + 1; err == nil && report.GetSequence() != want {
			t.Errorf("report %d where %d is due", report.GetSequence(), want)
		} else if err != nil && !errors.Is(err, ErrTooSlow) {
			t.Error(err)
		}
		r.Close()
	}
	cancel()
	making.Wait()
}

func TestMetricsAreShownFromTheStart(t *testing.T) {
	registry := prometheus.NewRegistry()
	New(1, Config{Metrics: registry})
	if n, err := testutil.GatherAndCount(registry, "waldo_input_events_total",
		"waldo_input_resyncs_total"); err != nil || n != 4+3 {
		t.Errorf("%d series %v", n, err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestCloseLetsReadersFinish(t *testing.T) {
	h := New(1, Config{})
	if _, err := h.State(); !errors.Is(err, device.ErrAway) {
		t.Errorf("the state of an absent device: %v", err)
	}
	r := h.Open()
	defer r.Close()
	h.Opened(pad(), source.State{Axes: stand(128, 128, 0, 0)})
	h.Close()
	next(t, r, 0, true, "ABS_X 128 0", "ABS_Y 128 0", "ABS_Z 0 0", "ABS_RZ 0 0")
	if _, err := r.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	late := h.Open()
	defer late.Close()
	if _, err := late.Next(t.Context()); !errors.Is(err, ErrClosed) || late.State.GetSequence() != 0 {
		t.Errorf("a late reader: %v %v", late.State, err)
	}
}

func TestNextEndsWithContext(t *testing.T) {
	r := New(1, Config{}).Open()
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

var hubCases = [][]byte{
	{0, 0, 0},
	{0, 1, 200, 1, 5, 1, 1, 64, 128, 2, 9, 9, 3, 0, 0, 0, 2, 2},
	{0, 4, 0, 1, 65, 128, 1, 66, 128, 1, 67, 0, 2, 1, 1, 3, 0, 0},
	{3, 0, 0, 1, 1, 1, 2, 2, 2, 1, 130, 7, 1, 200, 7},
}

// FuzzHub calls a hub in any order, and checks that a reader that follows the reports knows the state.
func FuzzHub(f *testing.F) {
	for _, data := range hubCases {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h := New(1, Config{})
		sub := h.topic.Subscribe(stream.DropOldest(1 << 16))
		defer sub.Close()
		known := map[string]int32{}
		at := int64(-1)
		for i := 0; i+2 < len(data) && i < 3000; i += 3 {
			tell(h, data[i], data[i+1], data[i+2])
			h.topic.Publish(nil) // marks the end
			for report, err := sub.Next(t.Context()); report != nil; report, err = sub.Next(t.Context()) {
				if at++; err != nil || report.GetSequence() != at || len(report.GetEvents()) == 0 && !report.GetResync() {
					t.Fatalf("report %v %v where %d is due", report, err, at)
				}
				follow(known, report.GetEvents())
			}
			state, _ := h.State()
			now := map[string]int32{}
			follow(now, state.GetKeys())
			follow(now, state.GetAxes())
			maps.DeleteFunc(known, func(name string, _ int32) bool {
				_, still := now[name]
				return !still &&
					name[:4] == "ABS_"
			})
			if !maps.Equal(known, now) || state.GetSequence() != at {
				t.Fatalf("known %v at %d, state %v", known, at, state)
			}
		}
	})
}

func follow(known map[string]int32, events []*inputv1.Event) {
	for _, e := range events {
		switch {
		case e.GetKind() == inputv1.EventKind_EVENT_KIND_KEY && e.GetValue() == 0:
			delete(known, e.GetName())
		case e.GetKind() == inputv1.EventKind_EVENT_KIND_KEY:
			known[e.GetName()] = 1 // as in the state, repeated or not
		case e.GetKind() == inputv1.EventKind_EVENT_KIND_ABSOLUTE:
			known[e.GetName()] = e.GetValue()
		}
	}
}

// tell turns two bytes into a call.
func tell(h *Hub, call, a, b byte) {
	now := source.State{Keys: []linux.EvCode{linux.EvCode(a % 8), linux.EvCode(b % 8)},
		Axes: stand(int32(b), int32(a%3), 0, int32(a))}
	if a%4 == 0 {
		now = source.State{Axes: stand(0, 0, 0, 0)}
	}
	switch call % 5 {
	case 0:
		info := pad()
		info.Axes = info.Axes[:int(b)%(len(info.Axes)+1)]
		h.Opened(info, now)
	case 1:
		h.Changed(time.Now(), []source.Event{
			{Type: linux.EvType(a / 64), Code: linux.EvCode(a % 64), Value: int32(b)}, abs(linux.EvCode(a%6), int32(b)-1)})
	case 2:
		h.Resynced(time.Now(), now)
	case 3:
		h.Detach(errors.New("gone"))
	case 4:
		h.Changed(time.Now(), []source.Event{key(linux.EvCode(a%8), int32(b%3))})
	}
}

func ExampleHub() {
	hub := New(1, Config{})
	hub.Opened(source.Info{}, source.State{})
	reader := hub.Open()
	defer reader.Close()
	fmt.Println("state after report", reader.State.GetSequence())
	hub.Changed(time.Now(), []source.Event{{Type: linux.EV_KEY, Code: linux.BTN_SOUTH, Value: 1}})
	report, err := reader.Next(context.Background())
	fmt.Println("report", report.GetSequence(), report.GetEvents()[0].GetName(), report.GetEvents()[0].GetValue(), err)
	// Output:
	// state after report 0
	// report 1 BTN_SOUTH 1 <nil>
}
