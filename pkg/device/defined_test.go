package device

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	accessv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/access/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// acme defines a service that is not linked into the program.
func acme(t *testing.T) protoreflect.ServiceDescriptor {
	t.Helper()
	viewer := &descriptorpb.MethodOptions{}
	proto.SetExtension(viewer, accessv1.E_Role, accessv1.Role_ROLE_VIEWER)
	method := func(name string, streams bool, o *descriptorpb.MethodOptions) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{Name: &name, InputType: proto.String(".acme.v1.Reading"),
			OutputType: proto.String(".acme.v1.Reading"), ServerStreaming: &streams, Options: o}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("acme/v1/acme.proto"), Package: proto.String("acme.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Reading"),
			Field: []*descriptorpb.FieldDescriptorProto{{
				Name: proto.String("celsius"), Number: proto.Int32(1), Type: descriptorpb.FieldDescriptorProto_TYPE_DOUBLE.Enum(),
				Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}}}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Thermometer"),
			Method: []*descriptorpb.MethodDescriptorProto{method("Read", false, viewer), method("Watch", true, nil),
				method("Adjust", false, nil)}}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file.Services().ByName("Thermometer")
}

// echo answers with the request, and streams it twice.
type echo struct{}

func (echo) Call(_ context.Context, _ protoreflect.MethodDescriptor,
	request *dynamicpb.Message) (proto.Message, error) {
	return request, nil
}

func (echo) Stream(m protoreflect.MethodDescriptor, s grpc.ServerStream) error {
	request := dynamicpb.NewMessage(m.Input())
	if err := s.RecvMsg(request); err != nil {
		return err
	}
	return errors.Join(s.SendMsg(request), s.SendMsg(request))
}

// TestDefinedService: a service that is known by its definition only is served over gRPC, on the bus and by reflection,
// and described; its roles count.
func TestDefinedService(t *testing.T) {
	server := startServer(t, embedded.Config{})
	service := acme(t)
	k := kindOf(work, func(k *Kit) { k.RegisterDefined(service, echo{}) })
	p := start(t, k, Settings{NATS: server.URL()})
	reading := service.Methods().ByName("Read").Input()
	request := dynamicpb.NewMessage(reading)
	request.Set(reading.Fields().ByName("celsius"), protoreflect.ValueOfFloat64(21.5))
	c := dial(t, p, "")
	for name, over := range map[string]grpc.ClientConnInterface{"gRPC": c,
		"the bus": connect(t, server.URL()).Client(p.Kit().Address())} {
		answer := dynamicpb.NewMessage(reading)
		if err := over.Invoke(t.Context(), "/acme.v1.Thermometer/Read", request, answer); err != nil ||
			!proto.Equal(answer, request) {
			t.Errorf("over %s: %v, %v", name, answer, err)
		}
	}
	s, err := c.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/acme.v1.Thermometer/Watch")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.SendMsg(request), s.CloseSend()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		answer := dynamicpb.NewMessage(reading)
		if err := s.RecvMsg(answer); err != nil || !proto.Equal(answer, request) {
			t.Errorf("streamed: %v, %v", answer, err)
		}
	}
	if d := p.Kit().describe(); !slices.Contains(d.Services, "acme.v1.Thermometer") {
		t.Errorf("the services are %q", d.Services)
	}
	if text := reflected(t, c, "acme.v1.Thermometer"); text != "acme/v1/acme.proto" {
		t.Errorf("reflection gives %q", text)
	}
	for method, want := range map[string]string{"Read": "viewer", "Watch": "viewer", "Adjust": "driver"} {
		if got := p.Kit().guard.needed("/acme.v1.Thermometer/"+method, method == "Watch").String(); got != want {
			t.Errorf("%s needs a %s, not a %s", method, got, want)
		}
	}
}

// reflected returns the path of the file that defines a name, as reflection tells.
func reflected(t *testing.T, c grpc.ClientConnInterface, name string) string {
	t.Helper()
	s, err := reflectionv1.NewServerReflectionClient(c).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name}}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Recv()
	if err != nil || len(r.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Fatal(r, err)
	}
	file := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(r.GetFileDescriptorResponse().GetFileDescriptorProto()[0], file); err != nil {
		t.Fatal(err)
	}
	return file.GetName()
}

// TestRawOut: messages that are encoded already reach readers while there are any, under the announced kind.
func TestRawOut(t *testing.T) {
	server := startServer(t, embedded.Config{})
	var out *RawOut
	k := kindOf(work, func(k *Kit) { out = NewRawOut(k, "raw", acme(t).Methods().Get(0).Input(), OutOptions{}) })
	k.Announce = func(config) (string, string) { return "thermometer", "2.0.0" }
	p := start(t, k, Settings{NATS: server.URL()})
	if d := p.Kit().Device(); d.GetKind() != "thermometer" || d.GetVersion() != "2.0.0" ||
		d.GetStreams()[1].GetMessageType() != "acme.v1.Reading" {
		t.Errorf("it is announced as %v", d)
	}
	c := connect(t, server.URL())
	messages, err := bus.SubscribeRaw(c, p.Kit().Address().Out("raw"), stream.DropOldest(10))
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Close()
	out.Publish([]byte("nobody reads"), true)
	h := c.Hold(p.Kit().Address(), "raw", "test")
	defer h.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
	defer cancel()
	held := errors.New("it is held")
	if err := out.WhileHeld(ctx, func(context.Context) error { return held }); !errors.Is(err, held) {
		t.Fatal(err)
	}
	out.Publish([]byte{1, 2, 3}, true)
	m, err := messages.Next(ctx)
	if err != nil || string(m.Data) != "\x01\x02\x03" || m.Type != "acme.v1.Reading" || m.Epoch != p.Kit().Epoch() {
		t.Errorf("%v, %v", m, err)
	}
}
