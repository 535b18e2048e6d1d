package inflight_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a device that sends descriptions of a given size as fast as it may, and acknowledges through
// readers.
type source struct {
	devicev1.UnimplementedDeviceServiceServer
	readers *inflight.Readers
	name    string
	sent    atomic.Int64
	ended   chan error // why a stream has ended
}

func (s *source) WatchDevice(
	_ *devicev1.WatchDeviceRequest, to grpc.ServerStreamingServer[devicev1.WatchDeviceResponse],
) error {
	for {
		n := s.sent.Add(1)
		err := to.Send(&devicev1.WatchDeviceResponse{Device: &devicev1.Device{Epoch: n, Name: s.name}})
		if err != nil {
			s.ended <- err
			return err
		}
	}
}

func (s *source) Acknowledge(
	_ context.Context, r *devicev1.AcknowledgeRequest,
) (*devicev1.AcknowledgeResponse, error) {
	if err := s.readers.Acknowledge(r.GetCall(), r.GetMessages()); err != nil {
		return nil, err
	}
	return &devicev1.AcknowledgeResponse{}, nil
}

// rig is a server with one source, and a client.
type rig struct {
	*source
	client devicev1.DeviceServiceClient
	stop   context.CancelFunc // what the server's readers see of its end
}

func start(t *testing.T, size int, options ...grpc.DialOption) *rig {
	t.Helper()
	stopping, stop := context.WithCancel(context.Background())
	s := &source{readers: inflight.New(stopping, slog.New(slog.DiscardHandler)), name: strings.Repeat("x", size),
		ended: make(chan error, 20)}
	server := grpc.NewServer(s.readers.Options()...)
	devicev1.RegisterDeviceServiceServer(server, s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.readers.Listen(l)) }()
	conn, err := grpc.NewClient(l.Addr().String(),
		append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &rig{source: s, client: devicev1.NewDeviceServiceClient(conn), stop: stop}
}

// settled waits until the source stops sending, and returns how much it has sent.
func (r *rig) settled() int64 {
	for {
		before := r.sent.Load()
		time.Sleep(100 * time.Millisecond)
		if now := r.sent.Load(); now == before && now > 0 {
			return now
		}
	}
}

// expect waits until the source has sent that much, and checks that it sends no more.
func (r *rig) expect(t *testing.T, want int64) {
	t.Helper()
	for begin := time.Now(); r.sent.Load() < want; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%d messages were sent, want %d", r.sent.Load(), want)
		}
	}
	time.Sleep(50 * time.Millisecond)
	if n := r.sent.Load(); n != want {
		t.Errorf("%d messages were sent, want %d", n, want)
	}
}

// read reads n messages and checks that they come in order, from first on.
func read(t *testing.T, call grpc.ServerStreamingClient[devicev1.WatchDeviceResponse], first, n int64) {
	t.Helper()
	for i := first; i < first+n; i++ {
		r, err := call.Recv()
		if err != nil || r.GetDevice().GetEpoch() != i {
			t.Fatalf("message %d: got %d, %v", i, r.GetDevice().GetEpoch(), err)
		}
	}
}

func watch(t *testing.T, r *rig, md ...string) grpc.ServerStreamingClient[devicev1.WatchDeviceResponse] {
	t.Helper()
	call, err := r.client.WatchDevice(metadata.AppendToOutgoingContext(t.Context(), md...),
		&devicev1.WatchDeviceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return call
}

func TestWindow(t *testing.T) {
	r := start(t, 10)
	call := watch(t, r, inflight.WindowHeader, "3")
	header, err := call.Header()
	if err != nil || len(header.Get(inflight.CallHeader)) != 1 {
		t.Fatalf("header %v, %v", header, err)
	}
	id := header.Get(inflight.CallHeader)[0]
	r.expect(t, 3)
	read(t, call, 1, 3)
	for _, tt := range []struct {
		name     string
		id       string
		messages int64
		want     error
		sent     int64
	}{
		{"some", id, 2, nil, 5},
		{"fewer than before", id, 1, nil, 5},
		{"less than nothing", id, -1, nil, 5},
		{"ahead", id, 6, inflight.ErrAhead, 5},
		{"another call", id + "x", 3, inflight.ErrNoCall, 5},
		{"no call", "", 3, inflight.ErrNoCall, 5},
		{"all", id, 5, nil, 8},
	} {
		if err := r.readers.Acknowledge(tt.id, tt.messages); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		r.expect(t, tt.sent)
	}
}

func TestWindowsThatCannotBe(t *testing.T) {
	r := start(t, 10)
	for _, window := range []string{"0", "-1", "1025", "many", "", "99999999999999999999"} {
		if _, err := watch(t, r, inflight.WindowHeader, window).Recv(); status.Code(err) != codes.InvalidArgument ||
			!strings.Contains(err.Error(), inflight.WindowHeader) {
			t.Errorf("%q: got %v", window, err)
		}
	}
}

// TestACallEnds: even with a reader that never acknowledges anything, and its id ends with it.
func TestACallEnds(t *testing.T) {
	r := start(t, 10)
	ctx, cancel := context.WithCancel(t.Context())
	call, err := r.client.WatchDevice(metadata.AppendToOutgoingContext(ctx, inflight.WindowHeader, "1"),
		&devicev1.WatchDeviceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	header, err := call.Header()
	if err != nil {
		t.Fatal(err)
	}
	read(t, call, 1, 1)
	cancel()
	if err := <-r.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
	for r.readers.Acknowledge(header.Get(inflight.CallHeader)[0], 1) == nil {
		time.Sleep(time.Millisecond) // the handler has returned, but perhaps not the interceptor
	}
}

// TestNothingWaitsForAReaderWhenTheServerStops: handlers end by themselves then.
func TestNothingWaitsForAReaderWhenTheServerStops(t *testing.T) {
	r := start(t, 10)
	watch(t, r, inflight.WindowHeader, "1")
	r.expect(t, 1)
	r.stop()
	for r.sent.Load() == 1 {
		time.Sleep(time.Millisecond)
	}
}

// TestPlainReader: without acknowledgements at most half of the window is in flight, and reading makes room.
func TestPlainReader(t *testing.T) {
	for _, size := range []int{10, 1000, 100_000} {
		r := start(t, size)
		call := watch(t, r)
		n := r.settled()
		if limit := int64(32768/size + 2); n > limit {
			t.Errorf("%d bytes: %d messages are in flight to a reader that does not read, want at most %d", size, n, limit)
		}
		read(t, call, 1, n+1000)
		if err := r.readers.Acknowledge("", 1); !errors.Is(err, inflight.ErrNoCall) {
			t.Error(err)
		}
	}
}

// TestManyReadersOnOneConnection: what all of them read together makes Go's client raise its window,
// while each has read little.
func TestManyReadersOnOneConnection(t *testing.T) {
	r := start(t, 40)
	var readers sync.WaitGroup
	for range 20 {
		readers.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			call, err := r.client.WatchDevice(ctx, &devicev1.WatchDeviceRequest{})
			for n := 0; n < 2000 && err == nil; n++ {
				_, err = call.Recv()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
}

func TestAcknowledging(t *testing.T) {
	for _, window := range []int64{1, 2, 50} {
		r := start(t, 10, grpc.WithStreamInterceptor(inflight.Acknowledging(int(window))))
		call := watch(t, r)
		r.expect(t, window)
		read(t, call, 1, 500)
		r.expect(t, 499+window) // the last counts as read when the next is asked for
	}
}

// TestAcknowledgingAStrangeServer: a server without this feature is read as usual.
func TestAcknowledgingAStrangeServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	devicev1.RegisterDeviceServiceServer(server, &few{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStreamInterceptor(inflight.Acknowledging(1)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call, err := devicev1.NewDeviceServiceClient(conn).WatchDevice(t.Context(), &devicev1.WatchDeviceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	read(t, call, 0, 3)
	if _, err := call.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

type few struct {
	devicev1.UnimplementedDeviceServiceServer
}

func (*few) WatchDevice(
	_ *devicev1.WatchDeviceRequest, to grpc.ServerStreamingServer[devicev1.WatchDeviceResponse],
) error {
	for i := range int64(3) {
		if err := to.Send(&devicev1.WatchDeviceResponse{Device: &devicev1.Device{Epoch: i}}); err != nil {
			return err
		}
	}
	return nil
}
