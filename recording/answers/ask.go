package answers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/descriptors"
)

const (
	// callTime and askTime bound one call, and all that are made to a device.
	callTime = 2 * time.Second
	askTime  = 10 * time.Second
	// maxAnswer bounds one answer, as it is on the bus.
	maxAnswer = 256 << 10
)

// Config says who is asked.
type Config struct {
	Device bus.Address
	// Definitions is what the device said of its services and messages, waldo.device.v1.GetDescriptorsResponse.
	Definitions []byte
	// May reports whether a method that only tells may be called; nil: all may.
	May func(protoreflect.MethodDescriptor) bool
}

// Ask asks a device, and returns what it answered, without a time. Methods that fail have no answer; whole is false if
// it may have more to say later, since it was away, or did not answer in time. Ask fails if the definitions cannot be
// read, or ctx ends.
func Ask(ctx context.Context, conn *bus.Conn, c Config) (s Sheet, whole bool, err error) {
	said := &devicev1.GetDescriptorsResponse{}
	if err := proto.Unmarshal(c.Definitions, said); err != nil {
		return Sheet{}, false, fmt.Errorf("the definitions of %s: %w", c.Device, err)
	}
	set, err := descriptors.New(said.GetFiles(), said.GetServices())
	if err != nil {
		return Sheet{}, false, fmt.Errorf("%s: its %w", c.Device, err)
	}
	whole, s = true, Sheet{Epoch: said.GetEpoch(), Answers: map[string]json.RawMessage{}}
	within, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	size := 0
	for _, m := range questions(set, c.May) {
		answer, err := call(within, conn, c.Device, s.Epoch, set, m)
		if code := status.Code(err); code == codes.Unavailable || code == codes.DeadlineExceeded {
			whole = false
		}
		if size += len(answer); err != nil || size > MaxBytes/2 {
			continue
		}
		s.Answers[descriptors.MethodName(m)] = answer
	}
	return s, whole, ctx.Err()
}

// questions are the methods that are called. Those that every device has are served by a replay itself.
func questions(set *descriptors.Set,
	may func(protoreflect.MethodDescriptor) bool) (methods []protoreflect.MethodDescriptor) {
	for _, m := range set.Methods() {
		if descriptors.IsCommon(m.Parent()) || !roles.Tells(m) || may != nil && !may(m) {
			continue
		}
		if methods = append(methods, m); len(methods) == MaxAnswers {
			break
		}
	}
	return methods
}

// call asks one method in a life of the device.
func call(ctx context.Context, conn *bus.Conn, a bus.Address, epoch int64, set *descriptors.Set,
	m protoreflect.MethodDescriptor) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	response := dynamicpb.NewMessage(m.Output())
	if err := conn.Client(a).Invoke(ctx, "/"+descriptors.MethodName(m), dynamicpb.NewMessage(m.Input()), response, bus.OfEpoch(epoch),
		grpc.MaxCallRecvMsgSize(maxAnswer)); err != nil {
		return nil, err
	}
	Redact(response)
	data, err := set.JSON(response)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}
