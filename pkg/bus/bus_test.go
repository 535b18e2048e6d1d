package bus_test

import (
	"bytes"
	"context"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var front = bus.Address{Robot: "demo", Device: "front"}

func startServer(t testing.TB, cfg bus.ServerConfig) *bus.Server {
	t.Helper()
	s, err := bus.StartServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func connect(t testing.TB, cfg bus.Config) *bus.Conn {
	t.Helper()
	c, err := bus.Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

type fakeDevice struct {
	devicev1.UnimplementedDeviceServiceServer
	get func(context.Context) (*devicev1.GetDeviceResponse, error)
}

func (f *fakeDevice) GetDevice(ctx context.Context, _ *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return f.get(ctx)
}

func TestSmoke(t *testing.T) {
	s := startServer(t, bus.ServerConfig{})
	a, b := connect(t, bus.Config{URL: s.URL()}), connect(t, bus.Config{URL: s.URL()})
	sub, err := bus.Subscribe[*mediav1.VideoFrame](a, front.Out("video"), stream.DropOldest(10))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{0, 100, 5 << 20, 7} {
		if err := b.Publish(front.Out("video"), &mediav1.VideoFrame{Sequence: int64(i), Data: bytes.Repeat([]byte{7}, size)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, size := range []int{0, 100, 5 << 20, 7} {
		f, err := sub.Next(t.Context())
		if err != nil || f.Sequence != int64(i) || len(f.Data) != size {
			t.Fatalf("got frame %d of %d bytes, %v", f.GetSequence(), len(f.GetData()), err)
		}
	}
	service, err := b.Serve(bus.ServiceConfig{Address: front, Kind: "camera", Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	fake := &fakeDevice{get: func(context.Context) (*devicev1.GetDeviceResponse, error) {
		return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Name: "front"}}, nil
	}}
	if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, fake); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := devicev1.NewDeviceServiceClient(a.Client(front)).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
	if err != nil || r.Device.GetName() != "front" {
		t.Fatal(r, err)
	}
	_, err = devicev1.NewDeviceServiceClient(a.Client(front)).HoldStream(t.Context(), &devicev1.HoldStreamRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}
	_, err = devicev1.NewDeviceServiceClient(a.Client(bus.Address{Robot: "demo", Device: "none"})).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Fatal(err)
	}
	devices, err := a.Devices(t.Context())
	if err != nil || len(devices) != 1 {
		t.Fatal(devices, err)
	}
}
