package viewing

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

func video(change func(*signalingv1.ShownVideo)) *signalingv1.Shown {
	v := &signalingv1.ShownVideo{Device: "front", AgesMs: []float32{12, 80.5}, Count: 2, Freezes: 1, FrozenMs: 250}
	change(v)
	return &signalingv1.Shown{Videos: []*signalingv1.ShownVideo{v}}
}

// reports are some of the bad kind: field and remedy are named.
var reports = map[string]struct {
	report *signalingv1.Shown
	why    string // empty: it is valid
}{
	"usual":     {video(func(*signalingv1.ShownVideo) {}), ""},
	"empty":     {&signalingv1.Shown{}, ""},
	"at most":   {video(func(v *signalingv1.ShownVideo) { v.AgesMs = make([]float32, 120); v.FrozenMs = 60000 }), ""},
	"videos":    {&signalingv1.Shown{Videos: make([]*signalingv1.ShownVideo, 33)}, "shown.videos: 33 are too many"},
	"many ages": {video(func(v *signalingv1.ShownVideo) { v.AgesMs = make([]float32, 121) }), "videos[0].ages_ms: 121"},
	"age":       {video(func(v *signalingv1.ShownVideo) { v.AgesMs[1] = -1 }), "ages_ms: -1 is out of range: 0 to 60000"},
	"old":       {video(func(v *signalingv1.ShownVideo) { v.AgesMs[1] = 60001 }), "ages_ms: 60001 is out"},
	"no number": {video(func(v *signalingv1.ShownVideo) { v.AgesMs[0] = float32(math.NaN()) }), "ages_ms: NaN is out"},
	"count":     {video(func(v *signalingv1.ShownVideo) { v.Count = -1 }), "count: -1 is out of range"},
	"freezes":   {video(func(v *signalingv1.ShownVideo) { v.Freezes = 20000 }), "freezes: 20000 is out of range"},
	"frozen":    {video(func(v *signalingv1.ShownVideo) { v.FrozenMs = float32(math.Inf(1)) }), "frozen_ms: +Inf is out"},
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func all(string) bool { return true }

func TestReports(t *testing.T) {
	for name, c := range reports {
		t.Run(name, func(t *testing.T) {
			v := NewMeters(prometheus.NewRegistry()).Viewer("ann")
			err := v.Shown(c.report, all, time.Unix(1000, 0))
			if c.why == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.why != "" && (status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("got %v, want one about %q", err, c.why)
			}
		})
	}
}

// FuzzShown: whatever a peer sends is counted or refused.
func FuzzShown(f *testing.F) {
	for _, c := range reports {
		if data, err := protojson.Marshal(c.report); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r signalingv1.Shown
		if protojson.Unmarshal(data, &r) != nil {
			return
		}
		reg := prometheus.NewRegistry()
		v := NewMeters(reg).Viewer("ann")
		if err := v.Shown(&r, all, time.Unix(1000, 0)); err != nil && status.Code(err) != codes.InvalidArgument {
			t.Errorf("refused with %v", err)
		}
		v.Close()
		if n, err := testutil.GatherAndCount(reg); n != 0 || err != nil {
			t.Errorf("%d series are left: %v", n, err)
		}
	})
}

// TestShown: ages, freezes and round trips are counted by device and viewer, as often as they may come.
func TestShown(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMeters(reg)
	v := m.Viewer("ann")
	now := time.Unix(1000, 0)
	usual := video(func(*signalingv1.ShownVideo) {})
	const tooSoon = 100 * time.Millisecond
	for _, at := range []time.Duration{0, tooSoon, time.Second, 1900 * time.Millisecond} {
		if err := v.Shown(usual, all, now.Add(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Shown(usual, func(string) bool { return false }, now.Add(5*time.Second)); err != nil {
		t.Fatal(err)
	}
	v.RoundTrip(30 * time.Millisecond)
	v.RoundTrip(0)
	want := `# HELP waldo_gateway_shown_freezes_total How often the picture froze on the screen, as viewers report it.
# TYPE waldo_gateway_shown_freezes_total counter
waldo_gateway_shown_freezes_total{device="front",viewer="ann"} 3
# HELP waldo_gateway_shown_frozen_seconds_total For how long the picture was frozen, as viewers report it.
# TYPE waldo_gateway_shown_frozen_seconds_total counter
waldo_gateway_shown_frozen_seconds_total{device="front",viewer="ann"} 0.75
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "waldo_gateway_shown_freezes_total",
		"waldo_gateway_shown_frozen_seconds_total"); err != nil {
		t.Error(err)
	}
	for name, n := range map[string]uint64{"waldo_gateway_shown_age_seconds": 6, "waldo_gateway_round_trip_seconds": 1} {
		if got := observed(t, reg, name); got != n {
			t.Errorf("%s: %d observations, want %d", name, got, n)
		}
	}
	v.Close()
	v.Close()
	v.RoundTrip(time.Second)
	if err := v.Shown(usual, all, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n, _ := testutil.GatherAndCount(reg); n != 0 {
		t.Errorf("%d series are left", n)
	}
}

// observed is how many observations a histogram has.
func observed(t *testing.T, reg *prometheus.Registry, name string) (n uint64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}

// TestLabels: few viewers have a label of their own, and one that leaves makes room.
func TestLabels(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMeters(reg)
	var viewers []*Viewer
	for i := range 100 {
		v := m.Viewer(fmt.Sprint(i))
		v.RoundTrip(time.Second)
		viewers = append(viewers, v)
	}
	if n, _ := testutil.GatherAndCount(reg); n != mostLabels+1 {
		t.Errorf("%d series, want %d", n, mostLabels+1)
	}
	viewers[0].Close()
	viewers[99].Close()
	m.Viewer("late").RoundTrip(time.Second)
	m.Viewer("later").RoundTrip(time.Second)
	if n, _ := testutil.GatherAndCount(reg); n != mostLabels+1 {
		t.Errorf("%d series after some left, want %d", n, mostLabels+1)
	}
}
