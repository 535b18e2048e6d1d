package device

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

// steered is a driver that a test makes come and go.
type steered struct {
	come, gone chan error // come: nil makes the hardware work, an error makes opening it fail; gone: why it goes
}

func newSteered() *steered { return &steered{make(chan error), make(chan error)} }

func (s *steered) run(ctx context.Context, ready func()) error {
	select {
	case err := <-s.come:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	ready()
	select {
	case err := <-s.gone:
		return err
	case <-ctx.Done():
		return nil
	}
}

func TestLife(t *testing.T) {
	hardware, server := newSteered(), startServer(t, embedded.Config{})
	onBus := states(t, connect(t, server.URL()))
	p := start(t, kindOf(hardware.run), Settings{NATS: server.URL()})
	overGRPC := watch(t, p)

	health := map[string]healthpb.Health_WatchClient{}
	for _, name := range []string{"", "waldo.device.v1.DeviceService"} {
		w, err := healthpb.NewHealthClient(dial(t, p, "")).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil {
			t.Fatal(err)
		}
		health[name] = w
	}
	expect := func(state devicev1.DeviceState, reason string, serving healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, from := range []source{onBus, overGRPC} {
			if d := untilState(t, from, state); d.StateReason != reason {
				t.Errorf("%v because of %q, want %q", state, d.StateReason, reason)
			}
		}
		for name, w := range health {
			if got, err := w.Recv(); err != nil || got.Status != serving {
				t.Errorf("%v: health of %q is %v, %v", state, name, got, err)
			}
		}
	}
	expect(starting, "", healthpb.HealthCheckResponse_NOT_SERVING)
	hardware.come <- nil
	expect(ready, "", healthpb.HealthCheckResponse_SERVING)
	hardware.gone <- errors.New("unplugged")
	expect(away, "unplugged", healthpb.HealthCheckResponse_NOT_SERVING)
	hardware.come <- errors.New("busy") // health stays as it is
	for _, from := range []source{onBus, overGRPC} {
		until(t, from, "busy", func(d *devicev1.Device) bool { return d.State == away && d.StateReason == "busy" })
	}
	hardware.come <- nil
	expect(ready, "", healthpb.HealthCheckResponse_SERVING)

	within(t, patienceOfTests, "stopping", p.Stop)
	untilState(t, onBus, stopping)
	untilState(t, overGRPC, stopping)
	if _, err := overGRPC.Next(t.Context()); status.Code(err) != codes.Unavailable {
		t.Errorf("WatchDevice ended with %v", err)
	}
}

func TestDescription(t *testing.T) {
	server := startServer(t, embedded.Config{})
	p := start(t, kindOf(work, func(k *Kit) {
		NewOut[*wrapperspb.BytesValue](k, "more", OutOptions{KeyFrameOnRequest: true, MediaTypes: []string{"video/H264"}})
		NewOut[*wrapperspb.BytesValue](k, "more-vp8", OutOptions{MediaTypes: []string{"video/VP8"}, AlternativeTo: "more"})
		NewOut[*wrapperspb.BytesValue](k, "more-small", OutOptions{AlternativeTo: "more", Small: true})
		k.SetAttributes(map[string]string{"card": "none"})
	}), Settings{NATS: server.URL()})
	d := untilState(t, watch(t, p), ready)
	if d.Robot != "r" || d.Name != "d" || d.Kind != "probe" || d.Version != "1.0.0" || d.Epoch <= 0 || d.Pid <= 0 ||
		d.GrpcAddress != p.GRPCAddress() || d.MetricsAddress != p.MetricsAddress() || d.Attributes["card"] != "none" ||
		time.Since(d.StartTime.AsTime()) > time.Minute || p.Kit().Epoch() != d.Epoch {
		t.Errorf("described as %v", d)
	}
	want := []*devicev1.StreamInfo{
		{Name: "level", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT, MessageType: "google.protobuf.DoubleValue"},
		{Name: "more", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT, MessageType: "google.protobuf.BytesValue",
			KeyFrameOnRequest: true,
			MediaTypes:        []string{"video/H264"}},
		{Name: "more-vp8", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT,
			MessageType: "google.protobuf.BytesValue",
			MediaTypes:  []string{"video/VP8"}, AlternativeTo: "more"},
		{Name: "more-small", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT,
			MessageType: "google.protobuf.BytesValue", AlternativeTo: "more", Small: true},
	}
	if !slices.EqualFunc(d.Streams, want, func(a, b *devicev1.StreamInfo) bool { return proto.Equal(a, b) }) {
		t.Errorf("streams %v", d.Streams)
	}
	found, err := connect(t, server.URL()).Devices(t.Context())
	if err != nil || len(found) != 1 || !proto.Equal(found[0], d) {
		t.Errorf("found %v, %v", found, err)
	}
	next := start(t, kindOf(work), Settings{NATS: server.URL()})
	if next.Kit().Epoch() == d.Epoch {
		t.Error("two lives have one epoch")
	}
}

func TestReflection(t *testing.T) {
	p := start(t, kindOf(work), Settings{NATS: "nats://" + freeAddress(t)})
	s, err := reflectionpb.NewServerReflectionClient(dial(t, p, "")).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	answer, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range answer.GetListServicesResponse().GetService() {
		names = append(names, one.GetName())
	}
	for _, want := range []string{"waldo.device.v1.DeviceService", "grpc.health.v1.Health",
		"grpc.reflection.v1.ServerReflection"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not listed in %v", want, names)
		}
	}
}

// TestAnnouncements checks that a device says what it is once a second, and again to a bus that is back.
func TestAnnouncements(t *testing.T) {
	server := startServer(t, embedded.Config{})
	listener := connect(t, server.URL())
	p := start(t, kindOf(work), Settings{NATS: server.URL()})
	untilReady(t, p)
	heard := states(t, listener) // after all changes: only the second hand is left
	untilState(t, heard, ready)
	untilState(t, heard, ready)

	p.Kit().SetAttributes(map[string]string{"step": "1"})
	until(t, heard, "change", func(d *devicev1.Device) bool { return d.Attributes["step"] == "1" })

	listen := strings.TrimPrefix(server.URL(), "nats://")
	server.Close()
	p.Kit().SetAttributes(map[string]string{"step": "2"}) // unheard, harmless
	startServer(t, embedded.Config{Listen: listen})
	until(t, heard, "change while the bus was away", func(d *devicev1.Device) bool { return d.Attributes["step"] == "2" })
}

func TestStartBeforeTheBus(t *testing.T) {
	listen := freeAddress(t)
	p := start(t, kindOf(work), Settings{NATS: "nats://" + listen})
	untilReady(t, p) // gRPC does not wait for the bus
	server := startServer(t, embedded.Config{Listen: listen})
	c := connect(t, server.URL())
	untilState(t, states(t, c), ready)
	// Whoever has heard of the device can call it.
	hold(t, c.Client(p.Kit().Address()), "me", time.Minute)
	untilState(t, watch(t, p), ready)
}

func TestStopWithoutTheBus(t *testing.T) {
	server := startServer(t, embedded.Config{})
	never := start(t, kindOf(work), Settings{NATS: "nats://" + freeAddress(t)})
	lost := start(t, kindOf(work), Settings{NATS: server.URL()})
	c := connect(t, server.URL())
	untilState(t, states(t, c), ready)
	server.Close()
	within(t, patienceOfTests, "stopping without a bus", never.Stop)
	within(t, patienceOfTests, "stopping after the bus", lost.Stop)
}

// TestStopWithCalls has a stream open whose handler goes on until its context ends, and a WatchDevice that is not read.
func TestStopWithCalls(t *testing.T) {
	server := startServer(t, embedded.Config{})
	p := start(t, kindOf(work), Settings{NATS: server.URL()})
	untilReady(t, p)
	w, err := healthpb.NewHealthClient(dial(t, p, "")).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Recv(); err != nil {
		t.Fatal(err)
	}
	watch(t, p)
	within(t, patienceOfTests, "stopping with open calls", p.Stop)
	for err == nil {
		_, err = w.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestStopTwice(t *testing.T) {
	server := startServer(t, embedded.Config{})
	p := start(t, kindOf(work), Settings{NATS: server.URL()})
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			p.Stop()
			if _, err := net.Dial("tcp", p.GRPCAddress()); err == nil {
				t.Error("Stop returned before the end")
			}
		})
	}
	callers.Wait()
	p.Stop()
}

// TestDriverThatIgnoresItsContext checks that Stop waits for it, and a whole process does not.
func TestDriverThatIgnoresItsContext(t *testing.T) {
	release := make(chan struct{})
	p := start(t, kindOf(func(_ context.Context, ready func()) error {
		ready()
		<-release
		return nil
	}), Settings{NATS: "nats://" + freeAddress(t)})
	untilReady(t, p)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.Stop()
	}()
	stopWithin(50*time.Millisecond, p, logtest.New(t, slog.LevelInfo))
	if closed(stopped) {
		t.Error("Stop did not wait for the driver")
	}
	close(release)
	<-stopped
}

func TestStartErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	refuse := Kind[config]{Name: "probe", Version: "1.0.0", New: func(*Kit, config) (Driver, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("it is New that fails")}
	}}
	numbered := kindOf(work)
	numbered.Version = "one"
	for name, tt := range map[string]struct {
		kind     Kind[config]
		settings Settings
		code     int
		want     string
	}{
		"grpc taken":    {kindOf(work), Settings{GRPC: taken.Addr().String()}, ExitAddress, "grpc: "},
		"metrics taken": {kindOf(work), Settings{Metrics: taken.Addr().String()}, ExitAddress, "metrics: "},
		"address of another": {kindOf(work), Settings{GRPC: "192.0.2.1:0", Token: "a-token-of-the-test"}, ExitAddress,
			"choose another address"},
		"exposed":     {kindOf(work), Settings{GRPC: "0.0.0.0:0"}, ExitConfiguration, "set a token"},
		"bad bus":     {kindOf(work), Settings{NATS: "nowhere"}, ExitConfiguration, "nats: "},
		"New fails":   {refuse, Settings{}, ExitConfiguration, "it is New that fails"},
		"bad version": {numbered, Settings{}, ExitConfiguration, "register r/d on the bus"},
		"service twice": {kindOf(work, func(k *Kit) { devicev1.RegisterDeviceServiceServer(k, &service{}) }), Settings{},
			ExitConfiguration, "waldo.device.v1.DeviceService is registered twice"},
		"health twice": {kindOf(work, func(k *Kit) { healthpb.RegisterHealthServer(k, k.health) }), Settings{},
			ExitConfiguration, "grpc.health.v1.Health is registered twice"},
		"stream twice": {kindOf(work, func(k *Kit) { NewOut[*wrapperspb.DoubleValue](k, "level", OutOptions{}) }), Settings{},
			ExitConfiguration, `stream "level"`},
		"bad stream": {kindOf(work, func(k *Kit) { NewOut[*wrapperspb.DoubleValue](k, "a.b", OutOptions{}) }), Settings{},
			ExitConfiguration, `stream: "a.b" is not a name`},
		"alternative to nothing": {kindOf(work, func(k *Kit) {
			NewOut[*wrapperspb.DoubleValue](k, "other", OutOptions{AlternativeTo: "video"})
		}), Settings{}, ExitConfiguration, `stream "other" is an alternative to "video", which is not defined`},
	} {
		t.Run(name, func(t *testing.T) {
			tt.settings.Robot, tt.settings.Device = "r", "d"
			if tt.settings.NATS == "" {
				tt.settings.NATS = "nats://" + freeAddress(t)
			}
			p, err := Start(tt.kind, tt.settings, config{}, logtest.New(t, slog.LevelInfo))
			if err == nil {
				p.Stop()
				t.Fatal("it started")
			}
			if exitCode(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("code %d: %v", exitCode(err), err)
			}
		})
	}
}

func TestZeroSettings(t *testing.T) {
	p, err := Start(kindOf(work), Settings{Device: "d"}, config{}, logtest.New(t, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if a := p.Kit().Address(); a.Robot != "robot" || !strings.HasPrefix(p.GRPCAddress(), "127.0.0.1:") {
		t.Errorf("%v at %s", a, p.GRPCAddress())
	}
}

func TestDebugServer(t *testing.T) {
	server := startServer(t, embedded.Config{})
	p := start(t, kindOf(work), Settings{NATS: server.URL(), Metrics: ":0", Token: ""})
	untilReady(t, p)
	if host, _, _ := net.SplitHostPort(p.MetricsAddress()); !net.ParseIP(host).IsLoopback() {
		t.Errorf("metrics are at %s", p.MetricsAddress())
	}
	for path, want := range map[string]string{
		"/metrics":                       `waldo_device_holders{stream="level"} 0`,
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "supervise",
	} {
		if got := get(t, p, path); !strings.Contains(got, want) {
			t.Errorf("%s lacks %q:\n%.500s", path, want, got)
		}
	}
}

// get returns a page of the debug server.
func get(t testing.TB, p *Process, path string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + p.MetricsAddress() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, r.Status, err)
	}
	return string(text)
}

// TestMetricsByOwnNameOnly: a page that points its name at this machine reads neither metrics nor profiles.
func TestMetricsByOwnNameOnly(t *testing.T) {
	p := start(t, kindOf(work), Settings{NATS: "nats://127.0.0.1:1"})
	_, port, err := net.SplitHostPort(p.MetricsAddress())
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for host, want := range map[string]int{"localhost:" + port: http.StatusOK, "rebind.example:" +
		port: http.StatusMisdirectedRequest} {
		for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/goroutine"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.MetricsAddress()+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("%s for %s: %s, want %d", path, host, response.Status, want)
			}
		}
	}
}

// TestGRPCFromElsewhere listens on all addresses, and names the one that others can use.
func TestGRPCFromElsewhere(t *testing.T) {
	const token = "a-token-of-the-test"
	p := start(t, kindOf(work), Settings{GRPC: ":0", Token: token})
	host, _, err := net.SplitHostPort(p.GRPCAddress())
	if err != nil || net.ParseIP(host) == nil || net.ParseIP(host).IsUnspecified() {
		t.Fatalf("gRPC is said to be at %q", p.GRPCAddress())
	}
	d, err := devicev1.NewDeviceServiceClient(dial(t, p, token)).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
	if err != nil || d.GetDevice().GetGrpcAddress() != p.GRPCAddress() {
		t.Errorf("%v, %v", d, err)
	}
}
