package descriptors

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// ErrNotDefined is wrapped by errors about a type that a set does not define.
var ErrNotDefined = errors.New("the device does not define it")

// Set are the definitions of one device.
type Set struct {
	size     int
	files    *protoregistry.Files
	types    *dynamicpb.Types
	services []protoreflect.ServiceDescriptor
}

// New builds definitions: files, each after its imports, and the names of the services among them that can be called.
func New(files *descriptorpb.FileDescriptorSet, services []string) (set *Set, err error) {
	defer func() {
		if p := recover(); p != nil { // the library does not promise that it never panics
			set, err = nil, fmt.Errorf("definitions: they cannot be built: %v", p)
		}
	}()
	if err := check(files); err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	registry := &protoregistry.Files{}
	for _, f := range files.GetFile() {
		if err := register(registry, f); err != nil {
			return nil, fmt.Errorf("definitions: file %.128q: %w", f.GetName(), err)
		}
	}
	if err := checkReserved(registry); err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	s := &Set{size: proto.Size(files), files: registry, types: dynamicpb.NewTypes(registry)}
	for _, name := range services {
		d, err := registry.FindDescriptorByName(protoreflect.FullName(name))
		service, ok := d.(protoreflect.ServiceDescriptor)
		if err != nil || !ok {
			return nil, fmt.Errorf("definitions: the service %.128q is not among them", name)
		}
		s.services = append(s.services, service)
	}
	return s, nil
}

func register(registry *protoregistry.Files, f *descriptorpb.FileDescriptorProto) error {
	file, err := own(f)
	if err == nil && file == nil {
		file, err = protodesc.NewFile(f, registry)
	}
	if err == nil {
		err = registry.RegisterFile(file)
	}
	return err
}

// Files returns the files that define messages, by their full names, with everything they import; each stands after its
// imports. Without names it returns all files of the set.
func (s *Set) Files(messages ...string) (*descriptorpb.FileDescriptorSet, error) {
	c := collector{set: &descriptorpb.FileDescriptorSet{}, done: map[string]bool{}}
	for _, name := range messages {
		m, err := s.Message(name)
		if err != nil {
			return nil, err
		}
		c.add(m.ParentFile())
	}
	if len(messages) > 0 {
		return c.set, nil
	}
	for _, f := range inOrder(s.files) {
		c.add(f)
	}
	return c.set, nil
}

// Services returns the full names of the services, in the order in which they were given.
func (s *Set) Services() []string {
	names := make([]string, len(s.services))
	for i, service := range s.services {
		names[i] = string(service.FullName())
	}
	return names
}

// Size is how many bytes the definitions have when they are encoded.
func (s *Set) Size() int { return s.size }

// Decode returns the message of a type that data has.
func (s *Set) Decode(name string, data []byte) (proto.Message, error) {
	t, err := s.types.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("type %.128q: %w", name, ErrNotDefined)
	}
	m := t.New().Interface()
	if err := (proto.UnmarshalOptions{AllowPartial: true, Resolver: s.types}).Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("not a %s: %w", name, err)
	}
	return m, nil
}

// JSON returns a message in the JSON mapping of protobuf. Of an Any whose type is not defined there is only the name
// of the type.
func (s *Set) JSON(m proto.Message) ([]byte, error) { return s.json(m, false) }

// FullJSON is JSON with the fields that are 0 or empty, so that a reader without definitions can tell them from
// fields that are not set.
func (s *Set) FullJSON(m proto.Message) ([]byte, error) { return s.json(m, true) }

func (s *Set) json(m proto.Message, full bool) ([]byte, error) {
	data, err := protojson.MarshalOptions{AllowPartial: true, EmitDefaultValues: full,
		Resolver: &printer{Types: s.types, left: maxAnys}}.Marshal(m)
	if err != nil {
		return nil, errors.New(plain(err))
	}
	return data, nil
}

// Parse reads a message of a type in the JSON mapping of protobuf; nothing at all is an empty message.
func (s *Set) Parse(t protoreflect.MessageDescriptor, data []byte) (proto.Message, error) {
	m := dynamicpb.NewMessage(t)
	if len(data) == 0 {
		return m, nil
	}
	if err := (protojson.UnmarshalOptions{Resolver: s.types}).Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("not a %s: %s%s", t.FullName(), plain(err), fieldsOf(t))
	}
	return m, nil
}

// plain is what the library says without its own name, behind which it puts one of two kinds of spaces.
func plain(err error) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "proto:"), "\u00a0", " "))
}

// maxListed bounds how many names an error lists.
const maxListed = 20

// fieldsOf ends an error with the fields that a message may have.
func fieldsOf(t protoreflect.MessageDescriptor) string {
	fields := t.Fields()
	if fields.Len() == 0 {
		return "; it has no fields"
	}
	names := make([]string, fields.Len())
	for i := range names {
		names[i] = fields.Get(i).JSONName()
	}
	return "; its fields are " + list(names)
}

func list(names []string) string {
	if len(names) > maxListed {
		return strings.Join(names[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}

// Message returns the definition of a message.
func (s *Set) Message(name string) (protoreflect.MessageDescriptor, error) {
	t, err := s.types.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("type %.128q: %w", name, ErrNotDefined)
	}
	return t.Descriptor(), nil
}

// Methods returns the methods of all services, sorted by their full names.
func (s *Set) Methods() []protoreflect.MethodDescriptor {
	var methods []protoreflect.MethodDescriptor
	for _, service := range s.services {
		for i := range service.Methods().Len() {
			methods = append(methods, service.Methods().Get(i))
		}
	}
	slices.SortFunc(methods, func(a, b protoreflect.MethodDescriptor) int {
		return strings.Compare(string(a.FullName()), string(b.FullName()))
	})
	return methods
}

// Method returns a unary method by its name as in gRPC, for example waldo.device.v1.DeviceService/GetDevice. The
// error lists what there is.
func (s *Set) Method(name string) (protoreflect.MethodDescriptor, error) {
	serviceName, methodName, _ := strings.Cut(name, "/")
	var names []string
	for _, service := range s.services {
		if string(service.FullName()) == serviceName {
			return unary(service, methodName)
		}
		names = append(names, string(service.FullName()))
	}
	return nil, fmt.Errorf("there is no service %.128q; the services are %s", serviceName, list(names))
}

func unary(service protoreflect.ServiceDescriptor, name string) (protoreflect.MethodDescriptor, error) {
	methods := service.Methods()
	m := methods.ByName(protoreflect.Name(name))
	if m != nil && !Streams(m) {
		return m, nil
	}
	if m != nil {
		return nil, fmt.Errorf("%s/%s sends or takes a stream: call it over gRPC, at the device's own address",
			service.FullName(), name)
	}
	var names []string
	for i := range methods.Len() {
		if !Streams(methods.Get(i)) {
			names = append(names, string(methods.Get(i).Name()))
		}
	}
	return nil, fmt.Errorf("%s has no method %.64q; its unary methods are %s", service.FullName(), name, list(names))
}

// MethodName is the name of a method as in gRPC, as [Set.Method] takes it.
func MethodName(m protoreflect.MethodDescriptor) string {
	return string(m.Parent().FullName()) + "/" + string(m.Name())
}

// IsCommon reports whether a service is one that every device has, whatever it is.
func IsCommon(service protoreflect.Descriptor) bool {
	name := string(service.FullName())
	return strings.HasPrefix(name, "waldo.device.") || strings.HasPrefix(name, "grpc.")
}

// Streams reports whether a method is not unary.
func Streams(m protoreflect.MethodDescriptor) bool {
	return m.IsStreamingClient() || m.IsStreamingServer()
}

// FindMessageByURL returns the type of an Any.
func (s *Set) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	return s.types.FindMessageByURL(url)
}

// maxAnys is how many Anys one message may have. Each costs a copy of what it contains, and one may contain another.
const maxAnys = 1000

// printer finds types for one message that is printed.
type printer struct {
	*dynamicpb.Types
	left int
}

// FindMessageByURL finds the type of an Any.
func (p *printer) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if p.left--; p.left < 0 {
		return nil, fmt.Errorf("more than %d Anys in one message", maxAnys)
	}
	t, err := p.Types.FindMessageByURL(url)
	if errors.Is(err, protoregistry.NotFound) {
		return (&emptypb.Empty{}).ProtoReflect().Type(), nil // any message can be read as one without fields
	}
	return t, err
}
