package dynamic

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // the usual details of errors
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/descriptors"
)

// restarts is how often a call is made again because the device has restarted since it gave its definitions.
const restarts = 2

// stable reports whether definitions only ever grow in ways that keep old messages valid: those of Waldo itself do. A
// call of theirs is right for every life of a device, so it is for all who have its name: two processes that share one
// by mistake both get an e-stop.
func stable(name string) bool { return strings.HasPrefix(name, "waldo.") }

// Call is a call of a unary method.
type Call struct {
	// Device is where the call goes.
	Device bus.Address
	// Method is its full name, for example waldo.device.v1.DeviceService/GetDevice.
	Method string
	// Request is the request in the JSON mapping of protobuf; empty for one in which nothing is set.
	Request json.RawMessage
	// MaxResponse bounds the encoded response, in bytes; 0: as on the bus.
	MaxResponse int
	// Allow is called with the method before the request is sent, and may refuse it; nil: every method is allowed.
	Allow func(method protoreflect.MethodDescriptor) error
	// Read is called with the response, before it becomes JSON; nil: with none.
	Read func(response proto.Message)
}

// Call calls a method and returns the response in the JSON mapping of protobuf. The errors are gRPC statuses; for
// [Details] they keep what the device said besides. InvalidArgument says what is wrong with the method or the
// request. A call that meets another life of the device than the one whose definitions it was made with has had no
// effect, and is made again with those of the new life.
func (d *Devices) Call(ctx context.Context, c Call) (json.RawMessage, error) {
	life, err := d.Of(ctx, c.Device)
	for again := 0; err == nil; again++ {
		var response json.RawMessage
		if response, err = d.call(ctx, life, c); err == nil {
			return response, nil
		}
		if again == restarts {
			break
		}
		newer, failed := d.after(ctx, c.Device, life, err)
		if failed != nil || newer == life {
			break // the call is wrong, or the device is away
		}
		life, err = newer, nil
	}
	return nil, err
}

// after returns the definitions with which a call that has failed may succeed; life itself if there are no others.
func (d *Devices) after(ctx context.Context, a bus.Address, life *Life, failed error) (*Life, error) {
	switch {
	case errors.Is(failed, bus.ErrRestarted):
		return d.Again(ctx, a, life)
	case errors.As(failed, new(misfit)):
		newer, err := d.check(ctx, a, life)
		if err == nil && newer.Epoch == life.Epoch {
			return life, nil
		}
		return newer, err
	}
	return life, nil
}

func (d *Devices) call(ctx context.Context, life *Life, c Call) (json.RawMessage, error) {
	request, response, err := life.prepare(c)
	if err != nil {
		return nil, err
	}
	var options []grpc.CallOption
	if !stable(c.Method) {
		options = append(options, bus.OfEpoch(life.Epoch))
	}
	if c.MaxResponse > 0 {
		options = append(options, grpc.MaxCallRecvMsgSize(c.MaxResponse))
	}
	if err := d.conn.Client(c.Device).Invoke(ctx, "/"+c.Method, request, response, options...); err != nil {
		return nil, &callError{err, life.Set}
	}
	if c.Read != nil {
		c.Read(response)
	}
	data, err := life.JSON(response)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "the response of %s cannot be put into JSON: %v", c.Method, err)
	}
	return data, nil
}

// misfit is the error for a call that does not fit the definitions: it is wrong, or they are of an older life.
type misfit struct{ *status.Status }

func (m misfit) Error() string              { return m.Message() }
func (m misfit) GRPCStatus() *status.Status { return m.Status }

// prepare makes the request, and an empty response.
func (l *Life) prepare(c Call) (request, response proto.Message, err error) {
	method, err := l.Method(c.Method)
	if err != nil {
		return nil, nil, misfit{status.Newf(codes.InvalidArgument, "method: %s: %v", c.Device.Device, err)}
	}
	if c.Allow != nil {
		if err := c.Allow(method); err != nil {
			return nil, nil, err
		}
	}
	request, err = l.Parse(method.Input(), c.Request)
	if err != nil {
		return nil, nil, misfit{status.Newf(codes.InvalidArgument, "request: %v", err)}
	}
	return request, dynamicpb.NewMessage(method.Output()), nil
}

// callError is an error of a device, with the definitions that its details may need.
type callError struct {
	err error
	set *descriptors.Set
}

func (e *callError) Error() string              { return e.err.Error() }
func (e *callError) Unwrap() error              { return e.err }
func (e *callError) GRPCStatus() *status.Status { return status.Convert(e.err) }

// Details returns the details of an error in the JSON mapping of protobuf, an object with @type each. Those whose
// type neither the device nor this program defines are left out.
func Details(err error) []json.RawMessage {
	types := detailTypes{protoregistry.GlobalTypes, nil}
	var of *callError
	if errors.As(err, &of) {
		types.set = of.set
	}
	var details []json.RawMessage
	for _, any := range status.Convert(err).Proto().GetDetails() {
		if data, err := (protojson.MarshalOptions{Resolver: types}).Marshal(any); err == nil {
			details = append(details, data)
		}
	}
	return details
}

// detailTypes finds the types of details: those that the device defines, and those of the program.
type detailTypes struct {
	*protoregistry.Types
	set *descriptors.Set
}

// FindMessageByURL finds the type of an Any.
func (t detailTypes) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if t.set != nil {
		if found, err := t.set.FindMessageByURL(url); err == nil {
			return found, nil
		}
	}
	return t.Types.FindMessageByURL(url)
}
