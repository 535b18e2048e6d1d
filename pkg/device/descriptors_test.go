package device

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// TestDescriptors asks a device over gRPC and over the bus: both answers build a registry by themselves.
func TestDescriptors(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	announced := states(t, c)
	p := start(t, kindOf(work, equipCamera, func(k *Kit) {
		NewIn[*messagev1.Message](k, "words", stream.Latest())
		k.RegisterService(&grpc.ServiceDesc{ServiceName: "by.Hand", HandlerType: (*any)(nil)}, k)
	}), Settings{NATS: server.URL()})
	untilState(t, announced, ready) // so the bus knows who takes calls
	overBus, err := devicev1.NewDeviceServiceClient(c.Client(p.Kit().Address())).GetDescriptors(t.Context(),
		&devicev1.GetDescriptorsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	overGRPC, err := devicev1.NewDeviceServiceClient(dial(t, p, "")).GetDescriptors(t.Context(),
		&devicev1.GetDescriptorsRequest{})
	if err != nil || !proto.Equal(overBus, overGRPC) {
		t.Fatalf("%v, or the answers differ", err)
	}
	want := []string{"waldo.camera.v1.CameraService", "waldo.device.v1.DeviceService"}
	if !slices.Equal(overBus.Services, want) || overBus.Epoch != p.Kit().Epoch() {
		t.Errorf("services %q of %d", overBus.Services, overBus.Epoch)
	}
	seen := map[string]bool{}
	for _, f := range overBus.Files.File {
		for _, needed := range f.Dependency {
			if !seen[needed] {
				t.Errorf("%s stands before %s, which it imports", f.GetName(), needed)
			}
		}
		if seen[f.GetName()] {
			t.Errorf("%s is there twice", f.GetName())
		}
		seen[f.GetName()] = true
	}
	files, err := protodesc.NewFiles(overBus.Files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"waldo.camera.v1.CameraService", "google.protobuf.DoubleValue",
		"waldo.message.v1.Message"} {
		if _, err := files.FindDescriptorByName(protoreflect.FullName(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if seen["google/protobuf/any.proto"] {
		t.Error("definitions are there that nothing needs")
	}
}

// TestDescriptorsOfAny: what an Any may contain is described too.
func TestDescriptorsOfAny(t *testing.T) {
	server := startServer(t, embedded.Config{})
	p := start(t, kindOf(work, func(k *Kit) { NewOut[*anypb.Any](k, "anything", OutOptions{}) }),
		Settings{NATS: server.URL()})
	files, err := protodesc.NewFiles(p.Kit().describe().Files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.FindDescriptorByName("waldo.camera.v1.CameraService"); err != nil {
		t.Error(err)
	}
}

// TestOfEpoch: a call that was made for another life of the device is refused before anything is done.
func TestOfEpoch(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	announced := states(t, c)
	p := start(t, kindOf(work), Settings{NATS: server.URL()})
	untilState(t, announced, ready) // so the bus knows who takes calls
	device := devicev1.NewDeviceServiceClient(c.Client(p.Kit().Address()))
	if _, err := device.GetDevice(t.Context(), &devicev1.GetDeviceRequest{}, bus.OfEpoch(p.Kit().Epoch())); err != nil {
		t.Error(err)
	}
	_, err := device.GetDevice(t.Context(), &devicev1.GetDeviceRequest{}, bus.OfEpoch(p.Kit().Epoch()+1))
	if !errors.Is(err, bus.ErrRestarted) || status.Code(err) != codes.Aborted {
		t.Error(err)
	}
}
