package calls

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// verbose is a device whose answer has so many bytes.
type verbose struct {
	devicev1.UnimplementedDeviceServiceServer
	bytes int
}

func (v verbose) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Name: strings.Repeat("x", v.bytes)}}, nil
}

// TestLargeAnswer refuses what would take too much memory as JSON.
func TestLargeAnswer(t *testing.T) {
	conn := connect(t)
	for name, want := range map[string]string{"small": "", "large": "RESOURCE_EXHAUSTED"} {
		service, err := conn.Serve(bus.ServiceConfig{Address: bus.Address{Robot: "rover", Device: name}, Kind: "camera", Version: "1.0.0"})
		if err != nil {
			t.Fatal(err)
		}
		device := verbose{bytes: map[string]int{"small": maxAnswer - 100, "large": maxAnswer}[name]}
		if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, device); err != nil {
			t.Fatal(err)
		}
		if err := conn.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := New(conn, "rover", nil).Call(t.Context(), &signalingv1.Call{
			Device: name, Method: "waldo.device.v1.DeviceService/GetDevice", Request: &structpb.Struct{}})
		if r.GetError().GetCode() != want {
			t.Errorf("%s: %v, want %q", name, r.GetError(), want)
		}
	}
}

func connect(t *testing.T) *bus.Conn {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn.Conn
}

// stuck is a device that answers GetDevice only when it is released.
type stuck struct {
	devicev1.UnimplementedDeviceServiceServer
	entered, release chan struct{}
}

func (s stuck) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	s.entered <- struct{}{}
	<-s.release
	return &devicev1.GetDeviceResponse{}, nil
}

func (stuck) HoldStream(context.Context, *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error) {
	return &devicev1.HoldStreamResponse{Epoch: 7}, nil
}

// TestFlood has peers call as much as they can: the gateway's own calls, of the same method and of others, still get through.
func TestFlood(t *testing.T) {
	conn := connect(t)
	front := bus.Address{Robot: "rover", Device: "front"}
	service, err := conn.Serve(bus.ServiceConfig{Address: front, Kind: "camera", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	device := stuck{entered: make(chan struct{}, 1000), release: make(chan struct{})}
	if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, device); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}

	c := New(conn, "rover", nil)
	call := func() *signalingv1.CallResult {
		return c.Call(t.Context(), &signalingv1.Call{Device: "front", Method: "waldo.device.v1.DeviceService/GetDevice", Request: &structpb.Struct{}})
	}
	var peers sync.WaitGroup
	for range maxAtOnce {
		peers.Go(func() {
			if r := call(); r.GetError() != nil {
				t.Errorf("a peer's call: %v", r.GetError())
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range maxAtOnce {
		<-device.entered
	}
	for range 100 {
		if r := call(); r.GetError().GetCode() != "RESOURCE_EXHAUSTED" {
			t.Errorf("one more call of a peer: %v", r)
		}
	}
	own := devicev1.NewDeviceServiceClient(conn.Client(front))
	if r, err := own.HoldStream(ctx, &devicev1.HoldStreamRequest{Stream: "video", Holder: "gateway"}); err != nil || r.GetEpoch() != 7 {
		t.Errorf("a hold of the gateway: %v, %v", r, err)
	}
	peers.Go(func() {
		if _, err := own.GetDevice(ctx, &devicev1.GetDeviceRequest{}); err != nil {
			t.Errorf("a call of the gateway: %v", err)
		}
	})
	<-device.entered
	close(device.release)
	peers.Wait()
	if r := call(); r.GetError() != nil {
		t.Errorf("afterwards: %v", r.GetError())
	}
}
