package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

func TestCallKeepsErrors(t *testing.T) {
	a, b := pair(t)
	var answer error
	serve(t, b, bus.ServiceConfig{},
		&fakeDevice{get: func(context.Context) (*devicev1.GetDeviceResponse, error) { return nil, answer }})
	long := strings.Repeat("long\r\nWaldo-Type: x ", 100_000)
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		for _, text := range []string{"why\r\nnot: ü", "", long} {
			st, err := status.New(code, text).WithDetails(&devicev1.Device{Name: "detail"})
			if err != nil {
				t.Fatal(err)
			}
			answer = fmt.Errorf("wrapped: %w", st.Err())
			want, _ := status.FromError(answer)
			_, err = deviceClient(a, front).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
			if got := status.Convert(err); !proto.Equal(got.Proto(), want.Proto()) {
				t.Errorf("%v: got %.100v, want %.100v", code, got, want)
			}
		}
	}
	for want, err := range map[codes.Code]error{
		codes.Unknown:          errors.New("plain"),
		codes.Canceled:         context.Canceled,
		codes.DeadlineExceeded: context.DeadlineExceeded,
	} {
		answer = err
		_, got := deviceClient(a, front).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
		if status.Code(got) != want {
			t.Errorf("%v: got %v", err, got)
		}
	}
}

func TestLargeCalls(t *testing.T) {
	a, b := pair(t)
	serve(t, b, bus.ServiceConfig{}, &fakeDevice{
		hold: func(_ context.Context, r *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error) {
			times := 2
			if r.GetStream() == "too much" {
				times = 1 + 64<<20/len(r.GetHolder())
			}
			return &devicev1.HoldStreamResponse{Subject: strings.Repeat(r.GetHolder(), times),
				Epoch: int64(len(r.GetHolder()))}, nil
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, size := range []int{0, 1, 600 << 10, 1 << 20, 3 << 20} {
		r, err := deviceClient(a, front).HoldStream(ctx, &devicev1.HoldStreamRequest{Holder: strings.Repeat("h", size)})
		if err != nil || r.GetEpoch() != int64(size) || len(r.GetSubject()) != 2*size {
			t.Errorf("%d bytes: %d of %d bytes came back, error %v", size, r.GetEpoch(), len(r.GetSubject()), err)
		}
	}
	for stream, size := range map[string]int{"too much": 1 << 20, "video": 64 << 20} { // as the answer; as the request
		_, err := deviceClient(a, front).HoldStream(ctx, &devicev1.HoldStreamRequest{Stream: stream,
			Holder: strings.Repeat("h", size)})
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "64 MiB") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	s := startServer(t, embedded.Config{})
	c := connect(t, bus.Config{URL: s.URL()})
	call := func(a bus.Address) error {
		_, err := deviceClient(c, a).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
		return err
	}
	if err := call(front); status.Code(err) != codes.Unavailable ||
		!strings.Contains(err.Error(), "demo/front is not running") {
		t.Errorf("no device: %v", err)
	}
	if err := call(bus.Address{Robot: "demo", Device: "launcher"}); status.Code(err) != codes.Unavailable ||
		!strings.Contains(err.Error(), "add a device {kind: peer} to robot.yaml") {
		t.Errorf("no launcher: %v", err)
	}
	if err := call(bus.Address{Robot: "demo", Device: bus.Any}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("bad address: %v", err)
	}
	service := serve(t, c, bus.ServiceConfig{}, &fakeDevice{get: named(front)})
	if err := call(front); err != nil {
		t.Errorf("device: %v", err)
	}
	service.Close()
	if err := call(front); status.Code(err) != codes.Unavailable {
		t.Errorf("device gone: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := deviceClient(c, front).GetDevice(ended,
		&devicev1.GetDeviceRequest{}); status.Code(err) != codes.Canceled {
		t.Errorf("cancelled before: %v", err)
	}
	if _, err := deviceClient(c, front).WatchDevice(t.Context(),
		&devicev1.WatchDeviceRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("stream: %v", err)
	}
	s.Close()
	until(t, "disconnected", func() bool { return !c.Connected() })
	if err := call(front); status.Code(err) != codes.Unavailable ||
		!strings.Contains(err.Error(), bus.ErrDisconnected.Error()) {
		t.Errorf("no bus: %v", err)
	}
}

// waiting answers when its context ends, and tells how it ended.
func waiting(entered chan<- struct{}, ended chan<- error) *fakeDevice {
	return &fakeDevice{get: func(ctx context.Context) (*devicev1.GetDeviceResponse, error) {
		entered <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}}
}

func TestSlowHandler(t *testing.T) {
	a, b := pair(t)
	entered, ended := make(chan struct{}, 10), make(chan error, 10)
	serve(t, b, bus.ServiceConfig{}, waiting(entered, ended))
	// On a busy machine the time may be over before the handler has the call: another gets more.
	for life := 100 * time.Millisecond; len(entered) == 0 && life < patience; life *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), life)
		_, err := deviceClient(a, front).GetDevice(ctx, &devicev1.GetDeviceRequest{})
		cancel()
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("the caller got %v", err)
		}
	}
	if err := receive(t, "the end of the handler", ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the handler's context ended with %v", err)
	}
}

func TestCallEndsWithItsServiceOrBus(t *testing.T) {
	s := startServer(t, embedded.Config{})
	a, b := connect(t, bus.Config{URL: s.URL()}), connect(t, bus.Config{URL: s.URL()})
	entered, ended := make(chan struct{}, 10), make(chan error, 10)
	service := serve(t, b, bus.ServiceConfig{}, waiting(entered, ended))
	call := func() <-chan error {
		answer := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, err := deviceClient(a, front).GetDevice(ctx, &devicev1.GetDeviceRequest{})
			answer <- err
		}()
		receive(t, "the call", entered)
		return answer
	}
	answer := call()
	s.Close()
	if err := receive(t, "the answer", answer); status.Code(err) != codes.Unavailable {
		t.Errorf("bus lost: %v", err)
	}
	events := connects(t, b)
	back := connects(t, a)
	restart(t, s)
	receive(t, "the device's connect", events)
	receive(t, "the caller's connect", back)
	flush(t, b)
	answer = call()
	within(t, "Close of the service", service.Close)
	if err := receive(t, "the answer", answer); status.Code(err) != codes.Canceled {
		t.Errorf("service closed: %v", err)
	}
	within(t, "a second Close", service.Close)
}

func TestTooManyCalls(t *testing.T) {
	const most = 64
	a, b := pair(t)
	entered, release := make(chan struct{}, most), make(chan struct{})
	serve(t, b, bus.ServiceConfig{}, &fakeDevice{get: func(context.Context) (*devicev1.GetDeviceResponse, error) {
		entered <- struct{}{}
		<-release
		return &devicev1.GetDeviceResponse{}, nil
	}, hold: func(context.Context, *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error) {
		return &devicev1.HoldStreamResponse{}, nil
	}})
	errs := make(chan error, most)
	call := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := deviceClient(a, front).GetDevice(ctx, &devicev1.GetDeviceRequest{})
		return err
	}
	for range most {
		go func() { errs <- call() }()
	}
	for range most {
		receive(t, "a call", entered)
	}
	if err := call(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one more call: %v", err)
	}
	if _, err := deviceClient(a, front).HoldStream(t.Context(), &devicev1.HoldStreamRequest{}); err != nil {
		t.Errorf("a call of another method, while those are under way: %v", err)
	}
	close(release)
	for range most {
		if err := receive(t, "an answer", errs); err != nil {
			t.Error(err)
		}
	}
	if err := call(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	s := startServer(t, embedded.Config{})
	serve(t, connect(t, bus.Config{URL: s.URL()}), bus.ServiceConfig{}, &fakeDevice{get: named(front)})
	raw := rawClient(t, s)
	tests := []struct {
		name   string
		header nats.Header
		data   string
		code   string // "" for success
	}{
		{"empty, as from the nats command", nil, "", ""},
		{"other type", nats.Header{"Waldo-Type": {"waldo.device.v1.Device"}}, "", "3"},
		{"garbage", nil, "\xff\xff", "3"},
		{"silly timeouts", nats.Header{"Waldo-Timeout": {"-5s"}}, "", ""},
		{"no duration", nats.Header{"Waldo-Timeout": {"soon"}}, "", ""},
	}
	for _, tt := range tests {
		m := &nats.Msg{Subject: front.RPC("waldo.device.v1.DeviceService", "GetDevice"), Header: tt.header,
			Data: []byte(tt.data)}
		r, err := raw.RequestMsg(m, patience)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := r.Header.Get("Nats-Service-Error-Code"); got != tt.code {
			t.Errorf("%s: code %q, want %q (%s)", tt.name, got, tt.code, r.Header.Get("Nats-Service-Error"))
		}
	}
	if err := raw.Publish(front.RPC("waldo.device.v1.DeviceService", "GetDevice"), nil); err != nil {
		t.Fatal(err) // nobody waits for an answer; nothing may happen
	}
}

func TestInterceptor(t *testing.T) {
	a, b := pair(t)
	var method string
	interceptor := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		method = info.FullMethod
		if _, err := handler(ctx, req); err != nil {
			return nil, err
		}
		return nil, status.Error(codes.PermissionDenied, "not you")
	}
	serve(t, b, bus.ServiceConfig{Interceptor: interceptor}, &fakeDevice{get: named(front)})
	_, err := deviceClient(a, front).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
	if status.Code(err) != codes.PermissionDenied || method != devicev1.DeviceService_GetDevice_FullMethodName {
		t.Errorf("got %v from %q", err, method)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	a, b := pair(t)
	serve(t, b, bus.ServiceConfig{}, &fakeDevice{
		get: func(context.Context) (*devicev1.GetDeviceResponse, error) { panic("secret") },
		hold: func(context.Context, *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error) {
			return nil, nil
		},
	})
	for range 100 { // more than there are slots
		_, err := deviceClient(a, front).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := deviceClient(a, front).HoldStream(t.Context(), &devicev1.HoldStreamRequest{}); err != nil {
		t.Errorf("no response and no error: %v", err)
	}
}
