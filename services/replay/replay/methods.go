package replay

import (
	"context"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// queue is how many messages wait for a reader over gRPC; the oldest go first.
const queue = 256

// methods serves the services of a device by their definitions.
type methods struct {
	device, recording string
	outputs           []*output
	// answered returns what a method that only tells has answered; nil if that is not in the recording.
	answered func(protoreflect.MethodDescriptor) (proto.Message, error)
}

// source is the stream from which a method is answered, and the field of its response that has the message; nil: the
// response is the message.
func (m *methods) source(response protoreflect.MessageDescriptor) (*output, protoreflect.FieldDescriptor) {
	for _, o := range m.outputs {
		if o.message.FullName() == response.FullName() {
			return o, nil
		}
	}
	for _, o := range m.outputs {
		for i := range response.Fields().Len() {
			f := response.Fields().Get(i)
			if f.Message() != nil && !f.IsMap() && f.Message().FullName() == o.message.FullName() {
				return o, f
			}
		}
	}
	return nil, nil
}

// refuse is the error of methods that would do something.
func (m *methods) refuse() error {
	return status.Errorf(codes.FailedPrecondition,
		"%s is replayed from %s: it cannot be driven, changed or asked for what is "+
			"not in the recording", m.device, m.recording)
}

// Call implements [device.Methods].
func (m *methods) Call(_ context.Context, method protoreflect.MethodDescriptor,
	request *dynamicpb.Message) (proto.Message, error) {
	o, field := m.source(method.Output())
	if o == nil || !reads(method) {
		if roles.Tells(method) {
			return m.tell(method, request)
		}
		return nil, m.refuse()
	}
	last := o.newest()
	if last == nil {
		return nil, status.Errorf(codes.Unavailable, "%s is replayed from %s, which has nothing of %s up to this place",
			m.device, m.recording, o.name)
	}
	return answer(method.Output(), field, last), nil
}

// tell answers a method that only tells as the device did.
func (m *methods) tell(method protoreflect.MethodDescriptor, request *dynamicpb.Message) (proto.Message, error) {
	if proto.Size(request) > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "%s is replayed from %s, which has what it answered to an empty "+
			"request only: leave the fields of the request out", m.device, m.recording)
	}
	response, err := m.answered(method)
	if err != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "%s is replayed from %s, whose answer cannot be read: %v",
			m.device, m.recording, err)
	}
	if response == nil {
		return nil, status.Errorf(codes.FailedPrecondition,
			"%s is replayed from %s, which has no answer of %s: the device gave "+
				"none, or the recorder is of a version that did not ask", m.device, m.recording, method.Name())
	}
	return response, nil
}

// reads reports whether a unary method does nothing but tell, by its name: EStop also returns the state.
func reads(method protoreflect.MethodDescriptor) bool {
	name := string(method.Name())
	return strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "Read")
}

// Stream implements [device.Methods].
func (m *methods) Stream(method protoreflect.MethodDescriptor, s grpc.ServerStream) error {
	o, field := m.source(method.Output())
	if o == nil || method.IsStreamingClient() {
		return m.refuse()
	}
	if err := s.RecvMsg(dynamicpb.NewMessage(method.Input())); err != nil {
		return err
	}
	messages := o.readers.Subscribe(stream.DropOldest(queue))
	defer messages.Close()
	send := func(data []byte) error { return s.SendMsg(answer(method.Output(), field, data)) }
	if last := o.newest(); last != nil && strings.HasPrefix(string(method.Name()), "Watch") {
		if err := send(last); err != nil {
			return err
		}
	}
	for {
		data, err := messages.Next(s.Context())
		switch {
		case errors.Is(err, io.EOF):
			return status.Error(codes.Unavailable, device.ErrStopping.Error())
		case err != nil:
			return status.FromContextError(err).Err()
		}
		if err := send(data); err != nil {
			return err
		}
	}
}

// answer returns a response that has a message, in a field unless that is nil. The message is not decoded.
func answer(response protoreflect.MessageDescriptor, field protoreflect.FieldDescriptor, data []byte) proto.Message {
	if field != nil {
		inner := data
		data = protowire.AppendTag(make([]byte, 0, len(inner)+16), field.Number(), protowire.BytesType)
		data = protowire.AppendBytes(data, inner)
	}
	m := dynamicpb.NewMessage(response)
	m.SetUnknown(data)
	return m
}
