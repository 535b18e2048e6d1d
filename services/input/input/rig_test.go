package input

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	linux "github.com/holoplot/go-evdev"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/services/input/source"
)

// patience is how long an event may take before a test fails. It does not measure anything.
const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an input process on a real bus and gRPC, with a client for each.
type world struct {
	process *device.Process
	nats    *embedded.Server
	conn    *bus.ConnCloser
	address bus.Address
	dialled *grpc.ClientConn
	input   inputv1.InputServiceClient // over gRPC
	onBus   inputv1.InputServiceClient // over the bus
}

func start(t testing.TB, kind device.Kind[Config], config Config) *world {
	t.Helper()
	w := &world{address: bus.Address{Robot: "test", Device: "pad"}}
	var err error
	w.nats, err = embedded.Start(embedded.Config{})
	must(t, err)
	t.Cleanup(w.nats.Close)
	must(t, config.Validate())
	w.process, err = device.Start(kind, device.Settings{Robot: "test", Device: "pad", NATS: w.nats.URL()}, config,
		logtest.New(t, slog.LevelInfo))
	must(t, err)
	t.Cleanup(w.process.Stop)
	w.conn, err = bus.Connect(bus.Config{URL: w.nats.URL(), Name: "test"})
	must(t, err)
	t.Cleanup(w.conn.Close)
	w.dialled, err = grpc.NewClient(w.process.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = w.dialled.Close() })
	w.input, w.onBus = inputv1.NewInputServiceClient(w.dialled), inputv1.NewInputServiceClient(w.conn.Client(w.address))
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await polls until a condition holds that wakes nobody.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

const (
	ready = devicev1.DeviceState_DEVICE_STATE_READY
	away  = devicev1.DeviceState_DEVICE_STATE_AWAY
)

func (w *world) await(t testing.TB, s devicev1.DeviceState) {
	t.Helper()
	await(t, s.String(), func() bool { return w.process.Kit().Device().GetState() == s })
}

// metric reads a value from the process's own /metrics.
func (w *world) metric(t *testing.T, name string) float64 {
	t.Helper()
	response, err := http.Get("http://" + w.process.MetricsAddress() + "/metrics")
	must(t, err)
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("there is no metric %s", name)
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	must(t, err)
	return value
}

// stream opens a stream of reports and returns the state it begins with.
func (w *world) stream(t testing.TB) (*reader, *inputv1.State) {
	t.Helper()
	s, err := w.input.StreamReports(t.Context(), &inputv1.StreamReportsRequest{})
	must(t, err)
	first, err := s.Recv()
	must(t, err)
	if first.GetState() == nil {
		t.Fatalf("the first step is %v", first)
	}
	return &reader{s}, first.GetState()
}

type reader struct {
	grpc.ServerStreamingClient[inputv1.StreamReportsResponse]
}

func (r *reader) next(t testing.TB) *inputv1.Report {
	t.Helper()
	report, err := r.report()
	must(t, err)
	return report
}

// report is next for goroutines that are not the test's own.
func (r *reader) report() (*inputv1.Report, error) {
	step, err := r.Recv()
	if err == nil && step.GetReport() == nil {
		err = fmt.Errorf("got %v where a report is due", step)
	}
	return step.GetReport(), err
}

// toy is a source that the test controls. Its zero value is not plugged in.
type toy struct {
	mu   sync.Mutex
	sink source.Sink // nil while it is not open
	gone chan struct{}
	in   bool
	down map[linux.EvCode]bool
	axes map[linux.EvCode]int32
}

func (s *toy) open(Config) (source.Source, error) { return s, nil }

func (s *toy) Run(ctx context.Context, to source.Sink) error {
	s.mu.Lock()
	if !s.in {
		s.mu.Unlock()
		return fmt.Errorf("/dev/input/event7: %w: there is no such device", device.ErrAway)
	}
	to.Opened(s.info(), s.state())
	s.sink, s.gone = to, make(chan struct{})
	gone := s.gone
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sink = nil
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-gone:
		return fmt.Errorf("/dev/input/event7: %w: it was unplugged", device.ErrAway)
	}
}

func (s *toy) info() source.Info {
	return source.Info{Driver: "toy", Path: "/dev/input/event7", Name: "Toy pad", Kind: source.Gamepad,
		ID: "1234:abcd", Axes: []source.Axis{
			{Code: linux.ABS_X, Minimum: -100, Maximum: 100, Flat: 10}, {Code: linux.ABS_Z, Maximum: 200}}}
}

// state requires mu.
func (s *toy) state() source.State {
	state := source.State{Axes: map[linux.EvCode]int32{linux.ABS_X: s.axes[linux.ABS_X],
		linux.ABS_Z: s.axes[linux.ABS_Z]}}
	for c, pressed := range s.down {
		if pressed {
			state.Keys = append(state.Keys, c)
		}
	}
	return state
}

func (s *toy) plug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in = true
}

func (s *toy) unplug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in = false
	close(s.gone)
	s.sink = nil
}

// send makes the device send events, if it is open.
func (s *toy) send(events ...source.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(events)
	if s.sink != nil {
		s.sink.Changed(time.Now(), events)
	}
}

// lose loses events.
func (s *toy) lose(events ...source.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(events)
	s.sink.Resynced(time.Now(), s.state())
}

func (s *toy) keep(events []source.Event) {
	if s.down == nil {
		s.down, s.axes = map[linux.EvCode]bool{}, map[linux.EvCode]int32{}
	}
	for _, e := range events {
		switch e.Type {
		case linux.EV_KEY:
			s.down[e.Code] = e.Value != 0
		case linux.EV_ABS:
			s.axes[e.Code] = e.Value
		}
	}
}

func key(c linux.EvCode, v int32) source.Event {
	return source.Event{Type: linux.EV_KEY, Code: c, Value: v}
}
func abs(c linux.EvCode, v int32) source.Event {
	return source.Event{Type: linux.EV_ABS, Code: c, Value: v}
}
