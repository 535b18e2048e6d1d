package dynamic_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var shade = bus.Address{Robot: "demo", Device: "shade"}

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

// thermometer is a life of a device with a definition of acme.v1.Reading of its own: the type of its one field.
type thermometer struct {
	devicev1.UnimplementedDeviceServiceServer
	epoch int64
	field descriptorpb.FieldDescriptorProto_Type
	asked atomic.Int32
	fails error
	calls atomic.Int32 // of GetDevice and Read
	reads bool         // it has the method Read, which repeats a text

	service *bus.Service
}

func (d *thermometer) files() *descriptorpb.FileDescriptorSet {
	r, err := descriptors.Describe(d.epoch, []string{"waldo.device.v1.DeviceService"})
	if err != nil {
		panic(err)
	}
	acme := &descriptorpb.FileDescriptorProto{
		Name: proto.String("acme.proto"), Package: proto.String("acme.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Reading"),
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name: proto.String("value"), JsonName: proto.String("value"), Number: proto.Int32(1), Type: d.field.Enum(),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}}}},
	}
	if d.reads {
		acme.Dependency = []string{"google/protobuf/wrappers.proto"}
		r.Files.File = append(r.Files.File, protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto))
		acme.Service = []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Reader"),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: proto.String("Read"), InputType: proto.String(".google.protobuf.StringValue"),
				OutputType: proto.String(".google.protobuf.StringValue")}}}}
	}
	r.Files.File = append(r.Files.File, acme)
	return r.Files
}

func (d *thermometer) GetDescriptors(context.Context,
	*devicev1.GetDescriptorsRequest) (*devicev1.GetDescriptorsResponse, error) {
	d.asked.Add(1)
	if d.fails != nil {
		return nil, d.fails
	}
	services := []string{"waldo.device.v1.DeviceService"}
	if d.reads {
		services = append(services, "acme.v1.Reader")
	}
	return &devicev1.GetDescriptorsResponse{Epoch: d.epoch, Services: services, Files: d.files()}, nil
}

func (d *thermometer) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	d.calls.Add(1)
	return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Name: "shade", Kind: "thermometer", Version: "0.9.0",
		Epoch: d.epoch}}, nil
}

func (d *thermometer) HoldStream(context.Context, *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error) {
	return nil, status.Error(codes.NotFound, "stream: there is none")
}

// reader is a service that no generated code knows.
var reader = grpc.ServiceDesc{ServiceName: "acme.v1.Reader", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Read",
		Handler: func(srv any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			srv.(*thermometer).calls.Add(1)
			var text wrapperspb.StringValue
			return &text, decode(&text)
		}}}}

// serve begins a life, at an address.
func serve(t *testing.T, conn *bus.Conn, a bus.Address, d *thermometer) *thermometer {
	t.Helper()
	var err error
	d.service, err = conn.Serve(bus.ServiceConfig{Address: a, Kind: "thermometer", Version: "0.9.0", Epoch: d.epoch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.service.Close)
	if err := d.service.RegisterService(&devicev1.DeviceService_ServiceDesc, d); err != nil {
		t.Fatal(err)
	}
	if d.reads {
		if err := d.service.RegisterService(&reader, d); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// publish sends a reading whose encoded value is given.
func (d *thermometer) publish(t *testing.T, conn *bus.Conn, value string) {
	t.Helper()
	set, err := descriptors.New(d.files(), nil)
	if err != nil {
		t.Fatal(err)
	}
	reading, err := set.Message("acme.v1.Reading")
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(reading)
	if err := proto.Unmarshal([]byte(value), m); err != nil {
		t.Fatal(err)
	}
	if err := conn.PublishAs(d.epoch, shade.Out("temperature"), m); err != nil {
		t.Fatal(err)
	}
}

const (
	asInt    = descriptorpb.FieldDescriptorProto_TYPE_INT32
	asString = descriptorpb.FieldDescriptorProto_TYPE_STRING
)

func subscribe(t *testing.T, conn *bus.Conn, d *dynamic.Devices) *dynamic.Messages {
	t.Helper()
	m, err := d.Subscribe(shade, "temperature", stream.DropOldest(10))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := conn.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// expect reads the next message.
func expect(t *testing.T, messages *dynamic.Messages, want string) {
	t.Helper()
	m, err := messages.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.JSON()
	if got := strings.ReplaceAll(string(text), " ", ""); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

// TestRestart: each message is read with the definitions of the life that sent it, and each life is asked once.
func TestRestart(t *testing.T) {
	conn := connect(t)
	devices := dynamic.New(conn, dynamic.Config{})
	devices.SetSettle(0)
	messages := subscribe(t, conn, devices)
	first := serve(t, conn, shade, &thermometer{epoch: 1, field: asInt})
	first.publish(t, conn, "\x08A")
	first.publish(t, conn, "\x08B")
	expect(t, messages, `{"value":65}`)
	expect(t, messages, `{"value":66}`)
	first.service.Close()
	second := serve(t, conn, shade, &thermometer{epoch: 2, field: asString})
	second.publish(t, conn, "\x0a\x01A")
	second.publish(t, conn, "\x0a\x01B")
	expect(t, messages, `{"value":"A"}`)
	expect(t, messages, `{"value":"B"}`)
	if a, b := first.asked.Load(), second.asked.Load(); a != 1 || b != 1 {
		t.Errorf("the lives were asked %d and %d times", a, b)
	}
}

// TestUnreadable: nothing is dropped without a word, and the word is said once.
func TestUnreadable(t *testing.T) {
	conn := connect(t)
	var text logtest.Text
	log := slog.New(slog.NewTextHandler(&text, nil))
	registry := prometheus.NewRegistry()
	devices := dynamic.New(conn, dynamic.Config{Log: log, Metrics: registry})
	messages := subscribe(t, conn, devices)
	d := serve(t, conn, shade, &thermometer{epoch: 1, field: asInt})
	unknown := &messagev1.Message{}
	for range 3 {
		if err := conn.PublishAs(1, shade.Out("temperature"), unknown); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.PublishAs(99, shade.Out("temperature"), wrapperspb.String("late")); err != nil { // another life
		t.Fatal(err)
	}
	d.publish(t, conn, "\x08A")
	for _, want := range []struct{ of, says string }{
		{"waldo.message.v1.Message", "does not define it"}, {"google.protobuf.StringValue", "has ended"},
	} {
		_, err := messages.Next(t.Context())
		var u *dynamic.Unreadable
		if !errors.As(err, &u) || u.Type != want.of || !strings.Contains(err.Error(), want.says) {
			t.Fatalf("%v, want %q", err, want)
		}
	}
	expect(t, messages, `{"value":65}`)
	if n := strings.Count(text.String(), "messages cannot be read"); n != 2 {
		t.Errorf("said %d times:\n%s", n, text.String())
	}
	metrics, err := registry.Gather()
	if err != nil || len(metrics) != 1 || len(metrics[0].GetMetric()) != 2 {
		t.Errorf("%v, %v, want two reasons", metrics, err)
	}
}

// TestOldDevice does not know GetDescriptors, and a broken one gives nonsense: both are told with a remedy, and not
// asked for each message.
func TestOldDevice(t *testing.T) {
	for name, tt := range map[string]struct {
		device *thermometer
		says   string
	}{
		"old": {&thermometer{epoch: 1, fails: status.Error(codes.Unimplemented, "method GetDescriptors not implemented")},
			"waldo-thermometer 0.9.0, is older than this one: update it"},
		"broken": {&thermometer{epoch: 1, field: 99}, "definitions: file \"acme.proto\""},
	} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t)
			devices := dynamic.New(conn, dynamic.Config{})
			serve(t, conn, shade, tt.device)
			for range 5 {
				_, err := devices.Of(t.Context(), shade)
				if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v, want %q", err, tt.says)
				}
			}
			if n := tt.device.asked.Load(); n > 2 {
				t.Errorf("it was asked %d times", n)
			}
		})
	}
}

// TestForgets bounds how many devices are remembered.
func TestForgets(t *testing.T) {
	conn := connect(t)
	devices := dynamic.New(conn, dynamic.Config{})
	var all []*thermometer
	for i := range dynamic.MaxDevices + 1 {
		d := serve(t, conn, bus.Address{Robot: "demo", Device: fmt.Sprint("d", i)},
			&thermometer{epoch: int64(i + 1), field: asInt})
		all = append(all, d)
	}
	ask := func(i int) {
		t.Helper()
		if life, err := devices.Of(t.Context(), bus.Address{Robot: "demo", Device: fmt.Sprint("d", i)}); err != nil ||
			life.Epoch != int64(i+1) {
			t.Fatal(life, err)
		}
	}
	for i := range all {
		ask(i)
	}
	ask(len(all) - 1) // known
	ask(0)            // forgotten
	if a, b := all[len(all)-1].asked.Load(), all[0].asked.Load(); a != 1 || b != 2 {
		t.Errorf("the newest was asked %d times, the oldest %d times", a, b)
	}
}

// TestCall makes calls of devices whose definitions are not known before.
func TestCall(t *testing.T) {
	conn := connect(t)
	devices := dynamic.New(conn, dynamic.Config{})
	first := serve(t, conn, shade, &thermometer{epoch: 1, field: asInt})
	get := dynamic.Call{Device: shade, Method: "waldo.device.v1.DeviceService/GetDevice"}
	for want := range 2 { // the second life is met by a call that was made for the first
		response, err := devices.Call(t.Context(), get)
		if err != nil ||
			!strings.Contains(strings.ReplaceAll(string(response), " ", ""), fmt.Sprintf(`"epoch":"%d"`, want+1)) {
			t.Fatalf("%s, %v", response, err)
		}
		if want == 0 {
			first.service.Close()
			serve(t, conn, shade, &thermometer{epoch: 2, field: asString})
		}
	}
	for name, tt := range map[string]struct {
		method, request string
		code            codes.Code
		says            string
	}{
		"an error of the device": {"waldo.device.v1.DeviceService/HoldStream", `{"stream": "x", "ttl": "1s"}`,
			codes.NotFound, "stream: there is none"},
		"an unknown service": {"acme.v1.Oven/Heat", ``, codes.InvalidArgument, "method: shade: there is no service"},
		"an unknown method": {"waldo.device.v1.DeviceService/Fly", ``, codes.InvalidArgument,
			"its unary methods are GetDevice"},
		"a stream":      {"waldo.device.v1.DeviceService/WatchDevice", ``, codes.InvalidArgument, "over gRPC"},
		"of gRPC's own": {"grpc.health.v1.Health/Check", ``, codes.InvalidArgument, "there is no service"},
		"no method":     {"", ``, codes.InvalidArgument, "method: "},
		"an unknown field": {"waldo.device.v1.DeviceService/HoldStream", `{"text": "x"}`, codes.InvalidArgument,
			`unknown field "text"; its fields are stream, holder, ttl`},
		"a wrong type": {"waldo.device.v1.DeviceService/Acknowledge", `{"messages": "x"}`, codes.InvalidArgument,
			"messages"},
		"no duration": {"waldo.device.v1.DeviceService/HoldStream", `{"ttl": "soon"}`, codes.InvalidArgument,
			"soon"},
		"a request that is no JSON": {"waldo.device.v1.DeviceService/HoldStream", `{`, codes.InvalidArgument, "request: "},
	} {
		_, err := devices.Call(t.Context(), dynamic.Call{Device: shade, Method: tt.method, Request: []byte(tt.request)})
		if status.Code(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, tt.code, tt.says)
		}
	}
	small := get
	small.MaxResponse = 3
	if _, err := devices.Call(t.Context(), small); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a response that is too large: %v", err)
	}
	nobody := get
	nobody.Device.Device = "nobody"
	if _, err := devices.Call(t.Context(), nobody); status.Code(err) != codes.Unavailable ||
		!strings.Contains(err.Error(), "demo/nobody is not running") {
		t.Errorf("no such device: %v", err)
	}
	nobody.Device.Device = "a.b"
	if _, err := devices.Call(t.Context(), nobody); status.Code(err) != codes.InvalidArgument ||
		!strings.Contains(err.Error(), "device: ") {
		t.Errorf("no name: %v", err)
	}
}

// TestCallAfterRestart: a call that was made with the definitions of another life is made again with new ones, and is
// not executed twice; so is one that does not fit the old ones.
func TestCallAfterRestart(t *testing.T) {
	conn := connect(t)
	devices := dynamic.New(conn, dynamic.Config{})
	devices.SetSettle(0)
	read := func() (string, error) {
		response, err := devices.Call(t.Context(),
			dynamic.Call{Device: shade, Method: "acme.v1.Reader/Read", Request: []byte(`"hello"`)})
		return string(response), err
	}
	first := serve(t, conn, shade, &thermometer{epoch: 1, field: asInt})
	if _, err := read(); status.Code(err) != codes.InvalidArgument ||
		!strings.Contains(err.Error(), "there is no service") {
		t.Errorf("a method that the first life does not have: %v", err)
	}
	first.service.Close()
	for epoch := range int64(2) {
		next := serve(t, conn, shade, &thermometer{epoch: 2 + epoch, field: asInt, reads: true})
		if text, err := read(); err != nil || text != `"hello"` {
			t.Errorf("life %d: %s, %v", next.epoch, text, err)
		}
		if n := next.calls.Load(); n != 1 {
			t.Errorf("life %d was called %d times", next.epoch, n)
		}
		next.service.Close()
	}
}

// TestNamesakes: a call of Waldo's own methods, such as an e-stop, reaches all that have the name of a device.
func TestNamesakes(t *testing.T) {
	conn := connect(t)
	devices := dynamic.New(conn, dynamic.Config{})
	both := []*thermometer{serve(t, conn, shade, &thermometer{epoch: 1, field: asInt}),
		serve(t, conn, shade, &thermometer{epoch: 2, field: asInt})}
	if _, err := devices.Call(t.Context(), dynamic.Call{Device: shade,
		Method: "waldo.device.v1.DeviceService/GetDevice"}); err != nil {
		t.Fatal(err)
	}
	for _, d := range both {
		d.service.Close() // waits for its calls
		if n := d.calls.Load(); n != 1 {
			t.Errorf("life %d was called %d times", d.epoch, n)
		}
	}
}
