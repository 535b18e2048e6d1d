package calls

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// described is the part of a device that describes itself.
type described struct {
	devicev1.UnimplementedDeviceServiceServer
}

func (described) GetDescriptors(context.Context, *devicev1.GetDescriptorsRequest) (*devicev1.GetDescriptorsResponse,
	error) {
	return descriptors.Describe(7, []string{"waldo.device.v1.DeviceService"})
}

// anyDevice is a directory that knows every device.
type anyDevice struct{}

func (anyDevice) Check(string) error { return nil }

func newCaller(conn *bus.Conn) *Caller {
	return New(dynamic.New(conn, dynamic.Config{}), "rover", anyDevice{}, nil, nil)
}

// verbose is a device whose answer has so many bytes.
type verbose struct {
	described
	bytes int
}

func (v verbose) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Name: strings.Repeat("x", v.bytes)}}, nil
}

// TestLargeAnswer refuses what would take too much memory as JSON.
func TestLargeAnswer(t *testing.T) {
	conn := connect(t)
	for name, want := range map[string]string{"small": "", "large": "RESOURCE_EXHAUSTED"} {
		service, err := conn.Serve(bus.ServiceConfig{Address: bus.Address{Robot: "rover", Device: name}, Kind: "camera",
			Version: "1.0.0"})
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
		r := patiently(t, newCaller(conn), &Call{By: visitors.Owner(),
			Device: name, Method: "waldo.device.v1.DeviceService/GetDevice", Request: json.RawMessage("{}")})
		if code(r) != want {
			t.Errorf("%s: %v, want %q", name, r.Err, want)
		}
	}
}

// patiently calls again while a device does not answer in time, as on a busy machine.
func patiently(t *testing.T, c *Caller, call *Call) (r *Result) {
	t.Helper()
	for range 20 {
		if r = c.Call(t.Context(), call); code(r) != "DEADLINE_EXCEEDED" {
			break
		}
	}
	return r
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
	described
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

// TestFlood has peers call as much as they can: the gateway's own calls, of the same method and of others, still get
// through.
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

	c := newCaller(conn)
	call := func() *Result {
		return c.Call(t.Context(),
			&Call{By: visitors.Owner(), Device: "front", Method: "waldo.device.v1.DeviceService/GetDevice"})
	}
	var peers sync.WaitGroup
	for range maxAtOnce {
		peers.Go(func() {
			if r := call(); r.Err != nil {
				t.Errorf("a peer's call: %v", r.Err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range maxAtOnce {
		<-device.entered
	}
	for range 100 {
		if r := call(); code(r) != "RESOURCE_EXHAUSTED" {
			t.Errorf("one more call of a peer: %v", r)
		}
	}
	own := devicev1.NewDeviceServiceClient(conn.Client(front))
	if r, err := own.HoldStream(ctx, &devicev1.HoldStreamRequest{Stream: "video", Holder: "gateway"}); err != nil ||
		r.GetEpoch() != 7 {
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
	if r := call(); r.Err != nil {
		t.Errorf("afterwards: %v", r.Err)
	}
}

// code is the name of the code that a peer gets, empty for a call that worked.
func code(r *Result) string {
	if r.Err == nil {
		return ""
	}
	return Error(0, r.Err).GetCode()
}
