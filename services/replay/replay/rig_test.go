package replay_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/replay/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long an event may take before a test fails.
const patience = time.Minute

const second = time.Second

// acme defines a kind that no program here was built with: a thermometer.
func acme(t testing.TB) protoreflect.FileDescriptor {
	t.Helper()
	field := func(name string, n int32, of descriptorpb.FieldDescriptorProto_Type,
		message string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: &of,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if message != "" {
			f.TypeName = &message
		}
		return f
	}
	method := func(name, output string, streams bool) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{Name: &name, InputType: proto.String(".acme.v1.Empty"),
			OutputType: &output, ServerStreaming: &streams}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("acme/v1/acme.proto"), Package: proto.String("acme.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("Empty")},
			{Name: proto.String("Reading"), Field: []*descriptorpb.FieldDescriptorProto{
				field("epoch", 1, descriptorpb.FieldDescriptorProto_TYPE_INT64, ""),
				field("celsius", 2, descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, "")}},
			{Name: proto.String("WatchResponse"), Field: []*descriptorpb.FieldDescriptorProto{
				field("reading", 3, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, ".acme.v1.Reading")}},
		},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Thermometer"),
			Method: []*descriptorpb.MethodDescriptorProto{method("ReadNow", ".acme.v1.Reading", false),
				method("Watch", ".acme.v1.WatchResponse", true), method("Heat", ".acme.v1.Empty", false),
				method("Melt", ".acme.v1.Empty", true)}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// reading is a message of the thermometer.
func reading(t testing.TB, epoch int64, celsius float64) []byte {
	t.Helper()
	of := acme(t).Messages().ByName("Reading")
	m := dynamicpb.NewMessage(of)
	m.Set(of.Fields().ByName("epoch"), protoreflect.ValueOfInt64(epoch))
	m.Set(of.Fields().ByName("celsius"), protoreflect.ValueOfFloat64(celsius))
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// celsius is what a message, perhaps in a response of Watch, says.
func celsius(t testing.TB, message string, data []byte) (epoch int64, degrees float64) {
	t.Helper()
	m := dynamicpb.NewMessage(acme(t).Messages().ByName(protoreflect.Name(message)))
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	var r protoreflect.Message = m
	if f := m.Descriptor().Fields().ByName("reading"); f != nil {
		r = m.Get(f).Message()
	}
	fields := r.Descriptor().Fields()
	return r.Get(fields.ByName("epoch")).Int(), r.Get(fields.ByName("celsius")).Float()
}

// described is the attachment with what a device said of its services.
func described(t testing.TB, device string, services []string, defined ...protoreflect.Descriptor) write.Attachment {
	t.Helper()
	r, err := descriptors.Describe(1, services, defined...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return write.Attachment{Name: "descriptors/" + device, MediaType: "application/x-protobuf", Data: data}
}

// record makes a recording of 60 s: a thermometer says its degrees, which are the second, ten times a second, and a
// board its state once a second, and what it was sent.
func record(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drive.mcap")
	file := acme(t)
	f, err := write.Create(path, write.Head{Attachments: []write.Attachment{
		described(t, "thermo", []string{"waldo.device.v1.DeviceService"}, file.Services().Get(0)),
		described(t, "motors", []string{"waldo.device.v1.DeviceService", "waldo.control.v1.ControlService",
			"waldo.serial.v1.SerialService"}),
	}}, write.Config{QueueBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	add := func(device, kind, stream string, direction recording.Direction, of string,
		files *descriptorpb.FileDescriptorSet) write.Channel {
		c, err := f.Add(recording.Channel{Device: device, Kind: kind, Stream: stream, Direction: direction, Type: of,
			Files: files})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	readings := add("thermo", "thermometer", "readings", recording.Out, "acme.v1.Reading",
		&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(file)}})
	about := add("thermo", "thermometer", "", recording.State, "waldo.device.v1.Device",
		recordingtest.Files(&devicev1.Device{}))
	control := add("motors", "serial", "control", recording.Out, "waldo.control.v1.ControlState",
		recordingtest.Files(&controlv1.ControlState{}))
	sent := add("motors", "serial", "tx", recording.In, "waldo.serial.v1.SerialMessage",
		recordingtest.Files(&serialv1.SerialMessage{}))
	put := func(c write.Channel, after time.Duration, data []byte) {
		if err := f.Write(c, write.Message{Logged: recordingtest.Begin.Add(after), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	encode := func(m proto.Message) []byte {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for tenth := range 601 {
		at := time.Duration(tenth) * second / 10
		put(readings, at, reading(t, 7, at.Seconds()))
		if tenth%10 != 0 {
			continue
		}
		put(about, at, encode(&devicev1.Device{Name: "thermo", Kind: "thermometer", Version: "3.1.4",
			State: devicev1.DeviceState_DEVICE_STATE_READY, Attributes: map[string]string{"chip": "bme280"},
			Streams: []*devicev1.StreamInfo{{Name: "readings", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT}}}))
		put(control, at, encode(&controlv1.ControlState{Epoch: 9, Clock: durationpb.New(at)}))
		put(sent, at, encode(&serialv1.SerialMessage{Epoch: 9}))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// rig is a bus with a player that obeys the test.
type rig struct {
	playerv1.UnimplementedPlayerServiceServer
	conn *bus.ConnCloser
	url  string

	mu    sync.Mutex
	clock play.Clock
}

var player = bus.Address{Robot: "rover", Device: "player"}

func newRig(t testing.TB) *rig {
	t.Helper()
	hub, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	conn, err := bus.Connect(bus.Config{URL: hub.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	r := &rig{conn: conn, url: hub.URL(), clock: play.Clock{Jump: 1, Speed: 1, Duration: 60 * second}}
	service, err := conn.Serve(bus.ServiceConfig{Address: player, Kind: "player", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.RegisterService(&playerv1.PlayerService_ServiceDesc, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// GetPlayer implements PlayerService.
func (r *rig) GetPlayer(context.Context, *playerv1.GetPlayerRequest) (*playerv1.GetPlayerResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &playerv1.GetPlayerResponse{State: r.clock.State(boottime.Now())}, nil
}

// change changes where the player is.
func (r *rig) change(t testing.TB, f func(*play.Clock)) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := boottime.Now()
	r.clock.Offset, r.clock.At = r.clock.Place(now), now
	f(&r.clock)
	if err := r.conn.PublishAs(1, player.Out(play.Stream), r.clock.State(now)); err != nil {
		t.Fatal(err)
	}
}

// seek jumps to a place.
func (r *rig) seek(t testing.TB, to time.Duration) {
	t.Helper()
	r.change(t, func(c *play.Clock) { c.Jump++; c.Offset = to })
}

// start replays a device, and returns it and what calls it over gRPC.
func (r *rig) start(t testing.TB, path, name string) (*device.Process, *grpc.ClientConn) {
	t.Helper()
	c := replay.Defaults()
	c.Files, c.As = strings.Split(path, ","), name
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	p, err := device.Start(replay.Kind(), device.Settings{Robot: "rover", Device: name, NATS: r.url}, c,
		logtest.New(t, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	conn, err := grpc.NewClient(p.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return p, conn
}

// awaitReady returns when a device has something to show.
func awaitReady(ctx context.Context, t testing.TB, conn *grpc.ClientConn) {
	t.Helper()
	states, err := devicev1.NewDeviceServiceClient(conn).WatchDevice(ctx, &devicev1.WatchDeviceRequest{})
	for err == nil {
		var r *devicev1.WatchDeviceResponse
		if r, err = states.Recv(); r.GetDevice().GetState() == devicev1.DeviceState_DEVICE_STATE_READY {
			return
		}
	}
	t.Fatal(err)
}
