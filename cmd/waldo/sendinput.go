package main

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/descriptors"
)

// input is a way into a device that is not a board: a method for commands, or a stream that the device accepts.
type input struct {
	method string // its full name; empty for a stream
	stream string
	takes  string // the type of message
}

// flag is how the input is chosen on the command line.
func (i input) flag() string {
	if i.method != "" {
		return fmt.Sprintf("--method %s (%s)", i.method, i.takes)
	}
	return fmt.Sprintf("--stream %s (%s)", i.stream, i.takes)
}

// other sends the message to a device that is not a board, or not as to one.
func (s *sendCommand) other(
	ctx context.Context, conn *bus.Conn, life *dynamic.Life, a bus.Address, devices *dynamic.Devices,
) error {
	in, err := s.choose(ctx, conn, life, a)
	if err != nil {
		return err
	}
	if in.method == "" {
		return s.publish(ctx, conn, life, a, in)
	}
	method, err := life.Method(in.method)
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	if _, err := life.Parse(method.Input(), []byte(s.Message)); err != nil { // before anything is stopped for it
		return fmt.Errorf("message: %w", err)
	}
	return plainError(a, s.drive(ctx, conn.Client(a), s.Message, byMethod(devices, a, in.method)))
}

// choose finds out which input is meant.
func (s *sendCommand) choose(ctx context.Context, conn *bus.Conn, life *dynamic.Life, a bus.Address) (input, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	r, err := devicev1.NewDeviceServiceClient(conn.Client(a)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil {
		return input{}, plainError(a, err)
	}
	all := append(commandMethods(life.Methods()), streams(r.GetDevice().GetStreams())...)
	var found []input
	var flags, names []string
	for _, in := range all {
		flags = append(flags, in.flag())
		if in.stream != "" {
			names = append(names, in.stream)
		}
		if s.means(in) {
			found = append(found, in)
		}
	}
	switch {
	case len(all) == 0:
		return input{}, fmt.Errorf("%s is a device of kind %s, which accepts no messages: waldo call %s lists its methods",
			a, r.GetDevice().GetKind(), a)
	case len(found) == 0 && s.Stream != "":
		return input{}, fmt.Errorf("%s accepts no stream %q; it accepts: %s", a, s.Stream, strings.Join(names, ", "))
	case len(found) == 0:
		return input{}, fmt.Errorf("%s is not commanded by a method %q: choose one of %s", a, s.Method,
			strings.Join(flags, ", "))
	case len(found) > 1:
		return input{}, fmt.Errorf("%s accepts messages in several ways: choose one of %s", a, strings.Join(flags, ", "))
	}
	return found[0], nil
}

// means tells whether an input is what the command line names; without a name, each is.
func (s *sendCommand) means(in input) bool {
	switch {
	case s.Stream != "":
		return in.stream == s.Stream
	case s.Method != "":
		return in.method != "" && named(in.method, s.Method)
	}
	return true
}

// commandMethods are the methods whose requests carry a lease in the field control, as [byMethod] fills it.
func commandMethods(methods []protoreflect.MethodDescriptor) (found []input) {
	header := (&controlv1.CommandHeader{}).ProtoReflect().Descriptor().FullName()
	for _, m := range methods {
		field := m.Input().Fields().ByName("control")
		if field == nil || field.Message() == nil || field.Message().FullName() != header || descriptors.Streams(m) {
			continue
		}
		if name := descriptors.MethodName(m); name != writeMessage { // its commands have a form of their own
			found = append(found, input{method: name, takes: string(m.Input().FullName())})
		}
	}
	return found
}

// streams are those that a device accepts.
func streams(infos []*devicev1.StreamInfo) (found []input) {
	for _, info := range infos {
		if info.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_IN {
			found = append(found, input{stream: info.GetName(), takes: info.GetMessageType()})
		}
	}
	return found
}

// publish sends the message on a stream.
func (s *sendCommand) publish(
	ctx context.Context, conn *bus.Conn, life *dynamic.Life, a bus.Address, in input,
) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	messageType, err := life.Message(in.takes)
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	m, err := life.Parse(messageType, []byte(s.Message))
	if err != nil {
		return fmt.Errorf("message: %w", err)
	}
	if err := conn.Publish(a.In(in.stream), m); err != nil {
		return err
	}
	return conn.Flush(ctx)
}
