package answers_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	ingestv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/recording/answers"
	"github.com/waldo-robot/waldo/recording/recordingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	getPort  = "waldo.serial.v1.SerialService/GetPort"
	getInput = "waldo.input.v1.InputService/GetInput"
)

var board = bus.Address{Robot: "rover", Device: "board"}

// device is a board that fails a test when something is done with it.
type device struct {
	t *testing.T
	serialv1.UnimplementedSerialServiceServer
	controlv1.UnimplementedControlServiceServer
	inputv1.UnimplementedInputServiceServer
	ingestv1.UnimplementedIngestServiceServer
}

func (d *device) GetPort(context.Context, *serialv1.GetPortRequest) (*serialv1.GetPortResponse, error) {
	return &serialv1.GetPortResponse{Port: &serialv1.Port{Name: "tcp://anna:s3cret@10.0.0.7:23", Baud: 115200,
		ReadFields: []*serialv1.FieldInfo{{Key: "left"}}}}, nil
}

func (d *device) GetControl(context.Context, *controlv1.GetControlRequest) (*controlv1.GetControlResponse, error) {
	return nil, status.Error(codes.Unavailable, "the board is away")
}

func (d *device) GetConnection(context.Context,
	*ingestv1.GetConnectionRequest) (*ingestv1.GetConnectionResponse, error) {
	return &ingestv1.GetConnectionResponse{Connection: &ingestv1.Connection{Fps: 30, Attributes: map[string]string{
		"password": "s3cret", "url": "rtsp://cam/live?pw=s3cret", "codec": "H.264"}}}, nil
}

func (d *device) GetInput(context.Context, *inputv1.GetInputRequest) (*inputv1.GetInputResponse, error) {
	d.t.Error("GetInput was called, which was not allowed")
	return nil, nil
}

func (d *device) EStop(context.Context, *controlv1.EStopRequest) (*controlv1.EStopResponse, error) {
	d.t.Error("an e-stop was pressed")
	return nil, nil
}

func (d *device) ListInputs(context.Context, *inputv1.ListInputsRequest) (*inputv1.ListInputsResponse, error) {
	d.t.Error("ListInputs was called")
	return nil, nil
}

// serve runs the board, and returns what it says of its services.
func serve(t *testing.T) (conn *bus.Conn, definitions []byte) {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s, err := c.Serve(bus.ServiceConfig{Address: board, Kind: "board", Version: "1.0.0", Epoch: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	d := &device{t: t}
	err = errors.Join(s.RegisterService(&serialv1.SerialService_ServiceDesc, d),
		s.RegisterService(&controlv1.ControlService_ServiceDesc, d), s.RegisterService(&inputv1.InputService_ServiceDesc, d),
		s.RegisterService(&ingestv1.IngestService_ServiceDesc, d), c.Flush(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	said, err := descriptors.Describe(7, []string{"waldo.serial.v1.SerialService", "waldo.control.v1.ControlService",
		"waldo.input.v1.InputService", "waldo.ingest.v1.IngestService"})
	if err != nil {
		t.Fatal(err)
	}
	definitions, err = proto.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	return c.Conn, definitions
}

// TestAsk: only what tells is called, and what is kept has no secrets.
func TestAsk(t *testing.T) {
	conn, definitions := serve(t)
	may := func(m protoreflect.MethodDescriptor) bool { return m.Name() != "GetInput" }
	s, whole, err := answers.Ask(t.Context(), conn, answers.Config{Device: board, Definitions: definitions, May: may})
	if err != nil {
		t.Fatal(err)
	}
	if whole {
		t.Error("GetControl will be answered when the board is back")
	}
	s.Time = recordingtest.Begin
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); strings.Contains(text, "s3cret") || !strings.Contains(text, "10.0.0.7:23") ||
		!strings.Contains(text, `"key":"left"`) || !strings.Contains(text, "H.264") {
		t.Errorf("it is kept as %s", text)
	}
	again, err := answers.Parse(data)
	if err != nil || !again.Says(s) || again.Epoch != 7 || !again.Time.Equal(s.Time) || len(again.Answers) != 2 {
		t.Errorf("it is read as %+v, %v", again, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := answers.Ask(ctx, conn,
		answers.Config{Device: board, Definitions: definitions, May: may}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if _, _, err := answers.Ask(t.Context(), conn, answers.Config{Device: board, Definitions: []byte("x")}); err == nil {
		t.Error("definitions that are none")
	}
}

// TestAskAnotherLife: a device that has restarted does not answer for the life that was asked.
func TestAskAnotherLife(t *testing.T) {
	conn, definitions := serve(t)
	definitions = append(definitions, "\x08\x09"...) // the epoch again: 9
	s, whole, err := answers.Ask(t.Context(), conn, answers.Config{Device: board, Definitions: definitions})
	if err != nil || !whole || s.Epoch != 9 || len(s.Answers) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestRedact: secrets in fields, entries, lists and structs.
func TestRedact(t *testing.T) {
	loose, err := structpb.NewStruct(map[string]any{"api_key": "s3cret", "size": 3.0,
		"nested": map[string]any{"token": 12.0, "list": []any{"--password=s3cret", "plain"}}})
	if err != nil {
		t.Fatal(err)
	}
	answers.Redact(loose)
	if s := loose.String(); strings.Contains(s, "s3cret") || strings.Contains(s, "12") || !strings.Contains(s, "plain") ||
		!strings.Contains(s, "size") {
		t.Error(s)
	}
	wrapped, err := anypb.New(structpb.NewStringValue("s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	with := &controlv1.AcquireRequest{}
	with.ProtoReflect().SetUnknown(wrapped.GetValue())
	answers.Redact(with)
	if n := proto.Size(with); n != 0 {
		t.Errorf("%d bytes that are not known are kept", n)
	}
}

// TestSheets: a place has the last answer before it, or else the first.
func TestSheets(t *testing.T) {
	sheet := func(after time.Duration, port string) []byte {
		s := answers.Sheet{Time: recordingtest.Begin.Add(after),
			Answers: map[string]json.RawMessage{getPort: json.RawMessage(port)}}
		if port == "" {
			s.Answers = nil
		}
		data, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	all, err := answers.ParseAll([][]byte{sheet(20*time.Second, `"b"`), []byte("{"), sheet(30*time.Second, ""),
		sheet(10*time.Second, `"a"`)})
	if err == nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	for after, want := range map[time.Duration]string{0: `"a"`, 10: `"a"`, 19: `"a"`, 20: `"b"`, 99: `"b"`} {
		if got, found := all.At(recordingtest.Begin.Add(after*time.Second), getPort); !found || string(got) != want {
			t.Errorf("at %d s: %s, want %s", after, got, want)
		}
	}
	if got, found := all.At(recordingtest.Begin, getInput); found {
		t.Errorf("an answer that was not given: %s", got)
	}
}

// FuzzParse: whatever an attachment has, it is refused, or read as it is written again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "{", "{}",
		`{"epoch":"7","time":"2026-11-30T07:00:00Z","answers":{"a/B":{"c":[1,null]}}}`,
		`{"epoch":7}`, `{"time":"0000"}`, `{"answers":[]}`, `{"answers":{"a":}}`, `{"answers":{"":null}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := answers.Parse(data)
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil {
			t.Skip(err) // a year that JSON does not have
		}
		if same, err := answers.Parse(again); err != nil || len(same.Answers) != len(s.Answers) || same.Epoch != s.Epoch {
			t.Errorf("%q became %q: %v", data, again, err)
		}
	})
}
