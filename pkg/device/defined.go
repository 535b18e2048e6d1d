package device

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/descriptors"
)

// Methods serves a service whose code is not linked into the program.
type Methods interface {
	// Call answers a unary method with a message of its output type.
	Call(ctx context.Context, m protoreflect.MethodDescriptor, request *dynamicpb.Message) (proto.Message, error)
	// Stream serves any other method.
	Stream(m protoreflect.MethodDescriptor, s grpc.ServerStream) error
}

// RegisterDefined is [Kit.RegisterService] for a service that is known by its definition only.
func (k *Kit) RegisterDefined(service protoreflect.ServiceDescriptor, impl Methods) {
	desc := &grpc.ServiceDesc{
		ServiceName: string(service.FullName()), HandlerType: (*Methods)(nil), Metadata: service.ParentFile().Path(),
	}
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		k.guard.defined[methodName(m)] = roles.Needed(m)
		if m.IsStreamingClient() || m.IsStreamingServer() {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: string(m.Name()), ClientStreams: m.IsStreamingClient(), ServerStreams: m.IsStreamingServer(),
				Handler: func(_ any, s grpc.ServerStream) error { return impl.Stream(m, s) },
			})
			continue
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: string(m.Name()), Handler: handler(m)})
	}
	k.register(registration{desc: desc, impl: impl, defined: service})
}

// methodName is the name of a method in a call.
func methodName(m protoreflect.MethodDescriptor) string {
	return "/" + descriptors.MethodName(m)
}

// handler serves a unary method, as generated code does.
func handler(m protoreflect.MethodDescriptor) grpc.MethodHandler {
	return func(impl any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
		request := dynamicpb.NewMessage(m.Input())
		if err := decode(request); err != nil {
			return nil, err
		}
		call := func(ctx context.Context, request any) (any, error) {
			return impl.(Methods).Call(ctx, m, request.(*dynamicpb.Message))
		}
		if around == nil {
			return call(ctx, request)
		}
		return around(ctx, request, &grpc.UnaryServerInfo{Server: impl, FullMethod: methodName(m)}, call)
	}
}

// RawOut is a stream that the device produces on the bus, of messages that are encoded already. It is safe for
// concurrent use.
type RawOut struct{ *out }

// NewRawOut defines a stream as [NewOut] does, of a type that need not be linked into the program.
func NewRawOut(k *Kit, name string, message protoreflect.MessageDescriptor, o OutOptions) *RawOut {
	return &RawOut{newOut(k, name, message, o)}
}

// Publish sends a message as [Out.Publish] does. Begins says whether a reader can begin with it.
func (o *RawOut) Publish(data []byte, begins bool) {
	if !o.Held() || !o.enter(begins) {
		return
	}
	defer o.leave()
	raw := bus.Raw{Type: string(o.message.FullName()), Epoch: o.kit.epoch, Data: data}
	if err := o.kit.conn.PublishRaw(o.kit.address.Out(o.name), raw); err != nil {
		o.lost.Inc()
		return
	}
	o.published.Inc()
}

// Message is the type of the stream.
func (o *RawOut) Message() protoreflect.MessageDescriptor { return o.message }

// registerReflection serves the definitions of everything that is served.
func (k *Kit) registerReflection() {
	o := reflection.ServerOptions{
		Services: k.server, DescriptorResolver: definitions{k}, ExtensionResolver: protoregistry.GlobalTypes,
	}
	reflectionv1.RegisterServerReflectionServer(k.server, reflection.NewServerV1(o))
	reflectionv1alpha.RegisterServerReflectionServer(k.server, reflection.NewServer(o))
}

// definitions are those that are linked into the program, and those of services that are not.
type definitions struct{ kit *Kit }

// FindFileByPath implements [protodesc.Resolver].
func (d definitions) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	file, err := protoregistry.GlobalFiles.FindFileByPath(path)
	if !errors.Is(err, protoregistry.NotFound) {
		return file, err
	}
	return d.defined().FindFileByPath(path)
}

// FindDescriptorByName implements [protodesc.Resolver].
func (d definitions) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if !errors.Is(err, protoregistry.NotFound) {
		return found, err
	}
	return d.defined().FindDescriptorByName(name)
}

// defined returns the files of the services that are not linked into the program.
func (d definitions) defined() *protoregistry.Files {
	files := &protoregistry.Files{}
	registered, _ := d.kit.registered()
	for _, r := range registered {
		if r.defined != nil {
			addFile(files, r.defined.ParentFile())
		}
	}
	return files
}

// addFile adds a file and what it imports. What is there already, or clashes with it, is left out.
func addFile(to *protoregistry.Files, file protoreflect.FileDescriptor) {
	if to.RegisterFile(file) != nil {
		return
	}
	for i := range file.Imports().Len() {
		addFile(to, file.Imports().Get(i).FileDescriptor)
	}
}
