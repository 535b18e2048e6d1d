package evdev_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	linux "github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/services/input/evdev"
	"github.com/waldo-robot/waldo/services/input/input"
	"github.com/waldo-robot/waldo/services/input/source"
)

const patience = time.Minute

// path is where the tests plug in their pad.
const path = "/dev/input/event5"

// start starts the whole device on a fake kernel, without a bus.
func start(t testing.TB, k *evdev.FakeKernel, config evdev.Config) (*device.Process, inputv1.InputServiceClient) {
	t.Helper()
	kind := input.KindOf(func(input.Config) (source.Source, error) { return evdev.NewOn(k, config), nil })
	var log *slog.Logger // none in a benchmark
	if _, test := t.(*testing.T); test {
		log = logtest.New(t, slog.LevelInfo)
	}
	p, err := device.Start(kind, device.Settings{Robot: "test", Device: "pad", NATS: "nats://127.0.0.1:1"},
		input.Defaults(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	c, err := grpc.NewClient(p.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return p, inputv1.NewInputServiceClient(c)
}

// await waits for a state whose reason contains all the words.
func await(t testing.TB, p *device.Process, state devicev1.DeviceState, words ...string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		d := p.Kit().Device()
		says := func(word string) bool { return strings.Contains(d.GetStateReason(), word) }
		if d.GetState() == state && !slices.ContainsFunc(words, func(word string) bool { return !says(word) }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is %v %q, want %v %q", d.GetState(), d.GetStateReason(), state, words)
		}
	}
}

const (
	ready = devicev1.DeviceState_DEVICE_STATE_READY
	away  = devicev1.DeviceState_DEVICE_STATE_AWAY
)

func open(t testing.TB, c inputv1.InputServiceClient) grpc.ServerStreamingClient[inputv1.StreamReportsResponse] {
	t.Helper()
	s, err := c.StreamReports(t.Context(), &inputv1.StreamReportsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := s.Recv(); err != nil || first.GetState() == nil {
		t.Fatalf("it begins with %v %v", first, err)
	}
	return s
}

func press(value int32) linux.InputEvent {
	return linux.InputEvent{Type: linux.EV_KEY, Code: linux.BTN_SOUTH, Value: value}
}

func stick(value int32) linux.InputEvent {
	return linux.InputEvent{Type: linux.EV_ABS, Code: linux.ABS_X, Value: value}
}

// TestUnplugAndReplug goes through the life of a pad, with one reader that stays.
func TestUnplugAndReplug(t *testing.T) {
	k := evdev.NewFakeKernel()
	p, c := start(t, k, evdev.Config{Match: source.Gamepad})
	await(t, p, away, "there is no gamepad", "nor any other input device")
	stream := open(t, c)
	sequence := int64(-1)
	expect := func(resync bool, want ...string) {
		t.Helper()
		step, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range step.GetReport().GetEvents() {
			got = append(got, fmt.Sprintf("%s %v", e.GetName(), e.GetNormalized()))
		}
		sequence++
		if r := step.GetReport(); r.GetSequence() != sequence || r.GetResync() != resync || !slices.Equal(got, want) {
			t.Errorf("report %d, resync %v: %q, want %d, %v, %q", r.GetSequence(), r.GetResync(), got, sequence, resync, want)
		}
	}
	rest := []string{"ABS_X 0", "ABS_Y 0", "ABS_Z 0", "ABS_RZ 0", "ABS_HAT0X 0", "ABS_HAT0Y 0"}
	for i := range 3 {
		pad := evdev.Pad()
		k.Plug(path, pad)
		if expect(true, rest...); i == 0 {
			rest = nil // known from then on
		}
		await(t, p, ready)
		pad.Send(press(1), stick(32767))
		expect(false, "BTN_SOUTH 1", "ABS_X 1")
		k.Unplug(path)
		expect(true, "BTN_SOUTH 0", "ABS_X 0")
		await(t, p, away)
	}
}

func TestReasonsToBeAway(t *testing.T) {
	k, pad := evdev.NewFakeKernel(), evdev.Pad()
	k.Fail(path, unix.EACCES)
	p, _ := start(t, k, evdev.Config{Match: source.Gamepad, Grab: true})
	await(t, p, away, "there is no gamepad", "no permission to read "+path, "group input", "udev rule")
	k.Fail(path, nil)
	k.Plug(path, pad)
	await(t, p, ready)
	other, _ := start(t, k, evdev.Config{Match: source.Gamepad, Grab: true})
	await(t, other, away, path, "another program has grabbed it")
	p.Stop()
	await(t, other, ready) // it was released
}

// BenchmarkLatency measures the time from an event in the kernel to the report at a client, over gRPC on
// loopback.
func BenchmarkLatency(b *testing.B) {
	k, pad := evdev.NewFakeKernel(), evdev.Pad()
	k.Plug(path, pad)
	p, c := start(b, k, evdev.Config{})
	await(b, p, ready)
	stream := open(b, c)
	var took []time.Duration
	for i := int32(0); b.Loop(); i++ {
		began := time.Now()
		pad.Send(press(i%2), stick(i%32767))
		if _, err := stream.Recv(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	report(b, took)
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	micros := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))]) / float64(time.Microsecond)
	}
	b.ReportMetric(micros(0.5), "µs-median")
	b.ReportMetric(micros(0.99), "µs-p99")
	b.ReportMetric(micros(1), "µs-max")
}

// BenchmarkThousandASecond sends 1,000 reports a second for the duration of -benchtime, and fails if one
// of them does not arrive.
func BenchmarkThousandASecond(b *testing.B) {
	k, pad := evdev.NewFakeKernel(), evdev.Pad()
	k.Plug(path, pad)
	p, c := start(b, k, evdev.Config{})
	await(b, p, ready)
	stream := open(b, c)
	sent := make(chan time.Time, b.N)
	ctx, cancel := context.WithCancel(b.Context())
	var pacing sync.WaitGroup
	pacing.Go(func() {
		pace(ctx, b.N, func(i int) {
			sent <- time.Now()
			pad.Send(press(int32(i%2)), stick(int32(i%32767)))
		})
	})
	defer pacing.Wait()
	defer cancel()
	var took []time.Duration
	b.ResetTimer()
	for i := range b.N {
		step, err := stream.Recv()
		if err != nil {
			b.Fatal(err)
		}
		r := step.GetReport()
		// report 0 was that of opening
		if r.GetResync() || r.GetSequence() != int64(i)+1 || r.GetEvents()[0].GetValue() != int32(i%2) {
			b.Fatalf("got %v where report %d is due: something was lost", r, i+1)
		}
		took = append(took, time.Since(<-sent))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
	report(b, took)
}

// pace calls f n times, a millisecond apart.
func pace(ctx context.Context, n int, f func(i int)) {
	next := time.Now()
	for i := range n {
		f(i)
		next = next.Add(time.Millisecond)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
	}
}
