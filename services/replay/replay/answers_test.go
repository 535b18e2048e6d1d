package replay_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	ingestv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/recording/answers"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// states makes a recording of a device that said nothing but its state, once a second.
func states(t *testing.T, name string, attached []write.Attachment, seconds int,
	state func(second int) *devicev1.Device) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".mcap")
	f, err := write.Create(path, write.Head{Attachments: attached}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := recordingtest.Add(t, f, recordingtest.State(name))
	for n := range seconds + 1 {
		d := state(n)
		d.Name = name
		data, err := proto.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Write(c,
			write.Message{Logged: recordingtest.Begin.Add(time.Duration(n) * second), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func ready(int) *devicev1.Device {
	return &devicev1.Device{Kind: "serial", State: devicev1.DeviceState_DEVICE_STATE_READY}
}

// answered is the attachment with a port that a board told.
func answered(t *testing.T, after time.Duration, port string) write.Attachment {
	t.Helper()
	data, err := answers.Sheet{Time: recordingtest.Begin.Add(after), Answers: map[string]json.RawMessage{
		"waldo.serial.v1.SerialService/GetPort": json.RawMessage(port)}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return write.Attachment{Name: answers.Name("motors"), MediaType: answers.MediaType, Data: data}
}

// TestAnswers: what the device told of itself is answered as it was at the place. A device that became another version
// has the services of both.
func TestAnswers(t *testing.T) {
	const serial, ingest = "waldo.serial.v1.SerialService", "waldo.ingest.v1.IngestService"
	path := states(t, "motors", []write.Attachment{
		described(t, "motors", []string{serial}), answered(t, second, `{"port":{"name":"/dev/ttyACM0","baud":9600}}`),
		described(t, "motors", []string{serial, ingest}), answered(t, 30*second, `{"port":{"name":"/dev/ttyUSB1"}}`),
		answered(t, 50*second, `{"port":7}`),
	}, 60, ready)
	r := newRig(t)
	_, conn := r.start(t, path, "motors")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	board := serialv1.NewSerialServiceClient(conn)
	for _, c := range []struct {
		place time.Duration
		want  string
	}{{0, "/dev/ttyACM0"}, {40 * second, "/dev/ttyUSB1"}, {29 * second, "/dev/ttyACM0"}} {
		r.seek(t, c.place)
		for { // the jump is on its way
			got, err := board.GetPort(ctx, &serialv1.GetPortRequest{})
			if err != nil {
				t.Fatalf("at %v: %v", c.place, err)
			}
			if got.GetPort().GetName() == c.want {
				break
			}
		}
	}
	strange := &serialv1.GetPortRequest{}
	strange.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 1))
	_, full := board.GetPort(ctx, strange)
	_, none := ingestv1.NewIngestServiceClient(conn).GetConnection(ctx, &ingestv1.GetConnectionRequest{})
	r.seek(t, 55*second)
	bad := error(nil)
	for bad == nil {
		_, bad = board.GetPort(ctx, &serialv1.GetPortRequest{})
	}
	for want, err := range map[string]error{"to an empty request only": full, "has no answer of GetConnection": none,
		"whose answer cannot be read": bad} {
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestClash: of a version whose definitions contradict those of a later one the rest is served.
func TestClash(t *testing.T) {
	file := protodesc.ToFileDescriptorProto(acme(t))
	file.Service[0].Name = proto.String("Hygrometer")
	file.Service[0].Method = file.Service[0].Method[:1]
	file.Dependency, file.MessageType = nil, file.MessageType[:2]
	later, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := described(t, "motors", []string{"waldo.serial.v1.SerialService"}, acme(t).Services().Get(0))
	path := states(t, "motors", []write.Attachment{old, described(t, "motors", nil, later.Services().Get(0)),
		answered(t, 0, `{"port":{"name":"a"}}`), {Name: "descriptors/motors", Data: []byte("damaged")}}, 10, ready)
	r := newRig(t)
	p, conn := r.start(t, path, "motors")
	answer, err := devicev1.NewDeviceServiceClient(conn).GetDescriptors(t.Context(), &devicev1.GetDescriptorsRequest{})
	if err != nil || slices.Contains(answer.GetServices(), "acme.v1.Thermometer") ||
		!slices.Contains(answer.GetServices(), "acme.v1.Hygrometer") ||
		!slices.Contains(answer.GetServices(), "waldo.serial.v1.SerialService") {
		t.Errorf("%s has %v, %v", p.Kit().Address(), answer.GetServices(), err)
	}
	if got, err := serialv1.NewSerialServiceClient(conn).GetPort(t.Context(), &serialv1.GetPortRequest{}); err != nil ||
		got.GetPort().GetName() != "a" {
		t.Errorf("%v, %v", got, err)
	}
}

// awaitState waits for a state of a device.
func awaitState(ctx context.Context, t *testing.T, conn *grpc.ClientConn, state devicev1.DeviceState,
	reason string) *devicev1.Device {
	t.Helper()
	watch, err := devicev1.NewDeviceServiceClient(conn).WatchDevice(ctx, &devicev1.WatchDeviceRequest{})
	for err == nil {
		var r *devicev1.WatchDeviceResponse
		if r, err = watch.Recv(); r.GetDevice().GetState() == state && r.GetDevice().GetStateReason() == reason {
			return r.GetDevice()
		}
	}
	t.Fatalf("%v %q: %v", state, reason, err)
	return nil
}

const (
	isReady = devicev1.DeviceState_DEVICE_STATE_READY
	isAway  = devicev1.DeviceState_DEVICE_STATE_AWAY
)

// TestAway: a device is away where it was away, for the same reason.
func TestAway(t *testing.T) {
	path := states(t, "motors", []write.Attachment{described(t, "motors", []string{"waldo.serial.v1.SerialService"})}, 60,
		func(n int) *devicev1.Device {
			d := ready(n)
			switch {
			case n < 20:
				d.State, d.StateReason = isAway, "the hardware is away: no port"
			case n > 40:
				d.State = isAway
			}
			return d
		})
	r := newRig(t)
	_, conn := r.start(t, path, "motors")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	awaitState(ctx, t, conn, isAway, "the hardware is away: no port")
	r.seek(t, 30*second)
	awaitState(ctx, t, conn, isReady, "")
	r.seek(t, 50*second)
	awaitState(ctx, t, conn, isAway, "it was away when it was recorded")
	r.seek(t, 10*second)
	awaitState(ctx, t, conn, isAway, "the hardware is away: no port")
	r.change(t, func(c *play.Clock) { c.Offset, c.Jump, c.Playing, c.Speed = 19*second, c.Jump+1, true, 10 })
	awaitState(ctx, t, conn, isReady, "")
}

// TestNeverThere: a camera that was away in the whole recording has its streams and services, and is away.
func TestNeverThere(t *testing.T) {
	const reason = "the hardware is away: /dev/video0 is not there"
	path := states(t, "front", []write.Attachment{described(t, "front", []string{"waldo.camera.v1.CameraService"},
		(&camerav1.CaptureFrameResponse{}).ProtoReflect().Descriptor())}, 10, func(int) *devicev1.Device {
		return &devicev1.Device{Kind: "camera", State: isAway, StateReason: reason, Streams: []*devicev1.StreamInfo{
			{Name: "video", Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT, MessageType: "waldo.media.v1.VideoFrame"},
			{Name: "speaker", Direction: devicev1.StreamDirection_STREAM_DIRECTION_IN,
				MessageType: "waldo.media.v1.AudioFrame"}}}
	})
	r := newRig(t)
	_, conn := r.start(t, path, "front")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := awaitState(ctx, t, conn, isAway, reason)
	if !slices.ContainsFunc(d.GetStreams(), func(s *devicev1.StreamInfo) bool { return s.GetName() == "video" }) ||
		slices.ContainsFunc(d.GetStreams(), func(s *devicev1.StreamInfo) bool { return s.GetName() == "speaker" }) {
		t.Errorf("it is announced as %v", d)
	}
	_, err := camerav1.NewCameraServiceClient(conn).CaptureFrame(ctx, &camerav1.CaptureFrameRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a snapshot: %v", err)
	}
}
