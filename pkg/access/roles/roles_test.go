package roles_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	accessv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/access/v1"
	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
)

func TestAllows(t *testing.T) {
	all := append([]roles.Role{roles.None, 77, -1}, roles.All()...)
	ranks := map[roles.Role]int{roles.Viewer: 1, roles.Driver: 2, roles.Operator: 3, roles.Admin: 4}
	for _, has := range all {
		for _, need := range all {
			want := ranks[has] > 0 && ranks[need] > 0 && ranks[has] >= ranks[need]
			if has.Allows(need) != want {
				t.Errorf("%v allows %v: %v", has, need, !want)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, r := range roles.All() {
		if got, err := roles.Parse(r.String()); got != r || err != nil {
			t.Errorf("%v became %v, %v", r, got, err)
		}
	}
	for _, name := range []string{"", "none", "Driver", "driver ", "root"} {
		if got, err := roles.Parse(name); err == nil || got != roles.None {
			t.Errorf("%q became %v", name, got)
		}
	}
	if got := roles.Role(99).String(); got != "role 99" {
		t.Errorf("an unknown role is called %q", got)
	}
}

// TestNeeded: what methods of Waldo's own need, by their name on gRPC.
func TestNeeded(t *testing.T) {
	_ = controlv1.File_waldo_control_v1_control_service_proto // is linked
	for method, want := range map[string]roles.Role{
		"/waldo.control.v1.ControlService/EStop":                    roles.Viewer,
		"/waldo.control.v1.ControlService/Acquire":                  roles.Driver,
		"/waldo.control.v1.ControlService/Take":                     roles.Operator,
		"/waldo.control.v1.ControlService/ClearEStop":               roles.Operator,
		"/grpc.health.v1.Health/Check":                              roles.Viewer,
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": roles.Viewer,
		"/waldo.control.v1.ControlService/None":                     roles.Driver,
		"/of.a.user.Service/Method":                                 roles.Driver,
		"/grpc.healthy/Method":                                      roles.Driver,
		"nonsense":                                                  roles.Driver,
		"":                                                          roles.Driver,
		"/waldo.control.v1.ControlService/EStop/x":                  roles.Driver,
		"/waldo.control.v1.Lease/epoch":                             roles.Driver,
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfoOfElse": roles.Viewer,
	} {
		if got := roles.NeededFor(method, false); got != want {
			t.Errorf("%s needs %v, want %v", method, got, want)
		}
	}
	if got := roles.NeededFor("/of.a.user.Service/Method", true); got != roles.Viewer {
		t.Errorf("a stream that is only read needs %v", got)
	}
}

// TestNeededOfOthers: definitions that come from elsewhere, as devices provide them.
func TestNeededOfOthers(t *testing.T) {
	with := func(r accessv1.Role) *descriptorpb.MethodOptions {
		o := &descriptorpb.MethodOptions{}
		proto.SetExtension(o, accessv1.E_Role, r)
		return o
	}
	for name, tt := range map[string]struct {
		pkg    string
		method *descriptorpb.MethodDescriptorProto
		want   roles.Role
	}{
		"says":          {"other", &descriptorpb.MethodDescriptorProto{Options: with(accessv1.Role_ROLE_ADMIN)}, roles.Admin},
		"says nothing":  {"other", &descriptorpb.MethodDescriptorProto{}, roles.Driver},
		"says too much": {"other", &descriptorpb.MethodDescriptorProto{Options: with(99)}, roles.Driver},
		"says service": {"other", &descriptorpb.MethodDescriptorProto{Options: with(accessv1.Role_ROLE_SERVICE)},
			roles.Driver},
		"only reads": {"other", &descriptorpb.MethodDescriptorProto{ServerStreaming: proto.Bool(true)}, roles.Viewer},
		"talks": {"other", &descriptorpb.MethodDescriptorProto{ServerStreaming: proto.Bool(true),
			ClientStreaming: proto.Bool(true)}, roles.Driver},
		"older than roles": {"waldo.control.v1", &descriptorpb.MethodDescriptorProto{}, roles.Viewer},
	} {
		m := tt.method
		m.Name, m.InputType, m.OutputType = proto.String("EStop"), proto.String(".google.protobuf.MethodOptions"),
			proto.String(".google.protobuf.MethodOptions")
		if got := roles.Needed(define(t, tt.pkg, m)); got != tt.want {
			t.Errorf("%s: needs %v, want %v", name, got, tt.want)
		}
	}
}

// TestTells: of what a viewer may call only what is called Get…, or says that it has no effects, is called by programs
// on their own; of others' methods only what their definitions let a viewer call.
func TestTells(t *testing.T) {
	viewer := func(level descriptorpb.MethodOptions_IdempotencyLevel) *descriptorpb.MethodOptions {
		o := &descriptorpb.MethodOptions{IdempotencyLevel: level.Enum()}
		proto.SetExtension(o, accessv1.E_Role, accessv1.Role_ROLE_VIEWER)
		return o
	}
	const unknown, idempotent, none = descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN,
		descriptorpb.MethodOptions_IDEMPOTENT, descriptorpb.MethodOptions_NO_SIDE_EFFECTS
	for name, tt := range map[string]struct {
		method *descriptorpb.MethodDescriptorProto
		want   bool
	}{
		"GetPort":  {&descriptorpb.MethodDescriptorProto{Options: viewer(unknown)}, true},
		"Get":      {&descriptorpb.MethodDescriptorProto{Options: viewer(unknown)}, false},
		"Getaway":  {&descriptorpb.MethodDescriptorProto{Options: viewer(unknown)}, false},
		"EStop":    {&descriptorpb.MethodDescriptorProto{Options: viewer(unknown)}, false},
		"Reset":    {&descriptorpb.MethodDescriptorProto{Options: viewer(idempotent)}, false},
		"Measure":  {&descriptorpb.MethodDescriptorProto{Options: viewer(none)}, true},
		"GetDrunk": {&descriptorpb.MethodDescriptorProto{}, false},
		"Look": {&descriptorpb.MethodDescriptorProto{Options: &descriptorpb.MethodOptions{IdempotencyLevel: none.Enum()}},
			false},
		"GetAll": {&descriptorpb.MethodDescriptorProto{Options: viewer(none), ServerStreaming: proto.Bool(true)}, false},
	} {
		m := tt.method
		m.Name, m.InputType, m.OutputType = &name, proto.String(".google.protobuf.MethodOptions"),
			proto.String(".google.protobuf.MethodOptions")
		if got := roles.Tells(define(t, "other", m)); got != tt.want {
			t.Errorf("%s tells: %v", name, got)
		}
	}
}

// define returns a method of ControlService in a package, as it comes over the wire.
func define(t *testing.T, pkg string, m *descriptorpb.MethodDescriptorProto) protoreflect.MethodDescriptor {
	t.Helper()
	data, err := proto.Marshal(&descriptorpb.FileDescriptorProto{
		Name: proto.String("x.proto"), Package: proto.String(pkg), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/descriptor.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("ControlService"),
			Method: []*descriptorpb.MethodDescriptorProto{m}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var file descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	made, err := protodesc.NewFile(&file, known{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Services().Get(0).Methods().Get(0)
}

// known resolves the one file that the definitions import.
type known struct{}

func (known) FindFileByPath(string) (protoreflect.FileDescriptor, error) {
	return descriptorpb.File_google_protobuf_descriptor_proto, nil
}

func (known) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	return descriptorpb.File_google_protobuf_descriptor_proto.Messages().ByName(name.Name()), nil
}
