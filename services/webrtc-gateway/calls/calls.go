// Package calls lets peers call the unary methods of devices, with the same messages and errors as over gRPC: a Call of waldo.signaling.v1 goes over
// the bus to its device, and a CallResult comes back. The gateway only forwards; what may be done, the device decides. Peers cannot call the
// methods by which Waldo's own processes agree with each other.
//
// A [Caller] is safe for concurrent use and starts no goroutines.
package calls

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // the details of refused commands
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// Timeout is how long a device may take to answer.
const Timeout = 5 * time.Second

// maxAnswer bounds an answer before it becomes JSON, which takes several times as much: gRPC clients have the same limit.
const maxAnswer = 4 << 20

// maxAtOnce is how many calls of one method all peers together may have under way to one device: a part of what it takes (see package bus), so
// that there is always room for the gateway's own calls.
const maxAtOnce = 32

// Caller calls the devices of one robot.
type Caller struct {
	conn    *bus.Conn
	robot   string
	methods map[string]method // by name, as a call has it
	calls   *prometheus.CounterVec

	mu      sync.Mutex
	running map[target]int
}

// target is a method of a device.
type target struct{ device, method string }

// New returns a caller. Metrics may be nil.
func New(conn *bus.Conn, robot string, metrics prometheus.Registerer) *Caller {
	c := &Caller{conn: conn, robot: robot, methods: methods(), running: map[target]int{}, calls: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "waldo_gateway_calls_total", Help: "Calls of peers to devices, by how they ended (a gRPC status code)."}, []string{"code"})}
	if metrics != nil {
		metrics.MustRegister(c.calls)
	}
	return c
}

// method is what goes in and what comes out.
type method struct{ request, response protoreflect.MessageType }

// ours are the methods by which Waldo's own processes agree with each other. A peer that could call them could end what others need; it gets
// streams by its channels and tracks, which the gateway holds.
var ours = []string{devicev1.DeviceService_HoldStream_FullMethodName, devicev1.DeviceService_Acknowledge_FullMethodName}

// methods are those that can be called: the unary ones of all kinds of devices, except ours.
func methods() map[string]method {
	all := map[string]method{}
	for _, file := range []protoreflect.FileDescriptor{
		audiov1.File_waldo_audio_v1_audio_proto, camerav1.File_waldo_camera_v1_camera_service_proto, controlv1.File_waldo_control_v1_control_service_proto,
		devicev1.File_waldo_device_v1_device_service_proto, inputv1.File_waldo_input_v1_input_service_proto,
		serialv1.File_waldo_serial_v1_serial_service_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				request, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
				response, err2 := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
				// Generated messages are registered, so neither fails.
				name := string(service.FullName()) + "/" + string(m.Name())
				if err == nil && err2 == nil && !m.IsStreamingClient() && !m.IsStreamingServer() && !slices.Contains(ours, "/"+name) {
					all[name] = method{request, response}
				}
			}
		}
	}
	return all
}

// Call calls a method and returns how that ended. It returns when the device has answered, after Timeout, or when ctx ends.
func (c *Caller) Call(ctx context.Context, call *signalingv1.Call) *signalingv1.CallResult {
	response, err := c.call(ctx, call)
	c.calls.WithLabelValues(status.Code(err).String()).Inc()
	if err != nil {
		return Failed(call.GetId(), err)
	}
	return &signalingv1.CallResult{Id: call.GetId(), Result: &signalingv1.CallResult_Response{Response: response}}
}

// Failed is the result of a call that did not get to its device, or came back with an error.
func Failed(id int32, err error) *signalingv1.CallResult {
	return &signalingv1.CallResult{Id: id, Result: &signalingv1.CallResult_Error{Error: Error(id, err)}}
}

// Error puts an error into words of the signalling. What is no UTF-8 in it, which may have been repeated from garbage, is replaced. Details of a type that is not known here are left out: JSON cannot tell them.
func Error(id int32, err error) *signalingv1.Error {
	st := status.Convert(err)
	details := slices.DeleteFunc(st.Proto().GetDetails(), func(d *anypb.Any) bool {
		_, err := d.UnmarshalNew()
		return err != nil
	})
	return &signalingv1.Error{Id: id, Code: codeName(st.Code()), Message: strings.ToValidUTF8(st.Message(), "�"), Details: details}
}

func (c *Caller) call(ctx context.Context, call *signalingv1.Call) (*structpb.Struct, error) {
	request, response, err := c.prepare(call)
	if err != nil {
		return nil, err
	}
	to := target{call.GetDevice(), call.GetMethod()}
	if err := c.begin(to); err != nil {
		return nil, err
	}
	defer c.end(to)
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	client := c.conn.Client(bus.Address{Robot: c.robot, Device: call.GetDevice()})
	if err := client.Invoke(ctx, "/"+call.GetMethod(), request, response); err != nil {
		return nil, err
	}
	if n := proto.Size(response); n > maxAnswer {
		return nil, status.Errorf(codes.ResourceExhausted, "the answer of %s has %d bytes, of which a page gets %d: ask for less, for example a JPEG",
			call.GetMethod(), n, maxAnswer)
	}
	var plain structpb.Struct
	if err := convert(response, &plain); err != nil {
		return nil, status.Errorf(codes.Internal, "the response of %s cannot be told: %v", call.GetMethod(), err)
	}
	return &plain, nil
}

func (c *Caller) begin(to target) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[to] >= maxAtOnce {
		return status.Errorf(codes.ResourceExhausted, "%d calls of %s are under way to %.64q: wait for one to end", maxAtOnce, to.method, to.device)
	}
	c.running[to]++
	return nil
}

func (c *Caller) end(to target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[to]--; c.running[to] == 0 {
		delete(c.running, to)
	}
}

// prepare makes the request, and an empty response.
func (c *Caller) prepare(call *signalingv1.Call) (request, response proto.Message, err error) {
	m, ok := c.methods[call.GetMethod()]
	if !ok {
		return nil, nil, status.Errorf(codes.InvalidArgument,
			"method: %.128q cannot be called by peers; one that can is waldo.device.v1.DeviceService/GetDevice", call.GetMethod())
	}
	request = m.request.New().Interface()
	if err := convert(call.GetRequest(), request); err != nil {
		return nil, nil, status.Errorf(codes.InvalidArgument, "request: not a %s: %v", m.request.Descriptor().FullName(), err)
	}
	return request, m.response.New().Interface(), nil
}

// convert makes one message of another by way of JSON.
func convert(from, to proto.Message) error {
	data, err := protojson.Marshal(from)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(data, to)
}

// codeName writes a code as its constant is called in every language: NotFound is NOT_FOUND.
func codeName(c codes.Code) string {
	if c == codes.OK {
		return "OK"
	}
	var name strings.Builder
	for i, r := range c.String() {
		if i > 0 && 'A' <= r && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return strings.ToUpper(name.String())
}
