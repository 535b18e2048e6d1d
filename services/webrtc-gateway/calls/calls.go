// Package calls lets peers call the unary methods of devices, with the same messages and errors as over gRPC. A [Call]
// is typed with the definitions of its device and sent over the bus; a [Result] comes back. The gateway knows no kinds
// of devices, and each device decides what is allowed. The methods with which Waldo's own processes coordinate cannot
// be called. Whose commands an actuator accepts is told to [Commands].
//
// A [Caller] is safe for concurrent use and starts no goroutines.
package calls

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
)

// Timeout is how long a device may take to answer.
const Timeout = 5 * time.Second

// maxAnswer bounds a response before it becomes JSON, which is several times as large. gRPC clients have the same
// limit.
const maxAnswer = 4 << 20

// maxAtOnce is how many calls of one method to one device all peers together may have in flight. The device accepts
// more (see package bus), so there is always room for the gateway's own calls.
const maxAtOnce = 32

// Directory knows the devices of the robot.
type Directory interface {
	// Check returns nil for a known device, else an error that lists the known ones.
	Check(device string) error
}

// Commands learns which peers command actuators.
type Commands interface {
	// Accepted is called when an actuator has accepted a command of a peer.
	Accepted(peer, device string)
}

// Caller calls the devices of one robot.
type Caller struct {
	devices   *dynamic.Devices
	robot     string
	directory Directory
	commands  Commands
	calls     *prometheus.CounterVec

	mu      sync.Mutex
	running map[target]int
}

// target is a method of a device.
type target struct{ device, method string }

// New returns a caller. Commands and metrics may be nil.
func New(
	devices *dynamic.Devices, robot string, directory Directory, commands Commands, metrics prometheus.Registerer,
) *Caller {
	c := &Caller{devices: devices, robot: robot, directory: directory, commands: commands, running: map[target]int{},
		calls: prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "waldo_gateway_calls_total",
				Help: "Calls from peers to devices, by result (a gRPC status code)."},
			[]string{"code"})}
	if metrics != nil {
		metrics.MustRegister(c.calls)
	}
	return c
}

// ours are the methods with which Waldo's own processes coordinate. A peer that could call them could end what others
// need; it gets streams through its channels and tracks, which the gateway holds, and whose bit rates the gateway
// limits. The launcher's service starts and
// stops processes, which is not for pages either.
var ours = []string{devicev1.DeviceService_HoldStream_FullMethodName, devicev1.DeviceService_Acknowledge_FullMethodName,
	camerav1.CameraService_LimitBitrate_FullMethodName}

const launcher = "waldo.launcher."

func check(method string) error {
	service, name, ok := strings.Cut(method, "/")
	switch {
	case !ok || service == "" || name == "":
		return status.Errorf(codes.InvalidArgument, "method: %.128q is not the full name of a method: use service/method, "+
			"for example waldo.device.v1.DeviceService/GetDevice", method)
	case slices.Contains(ours, "/"+method) || strings.HasPrefix(method, launcher):
		return status.Errorf(codes.InvalidArgument, "method: %s is reserved for Waldo's own processes; "+
			"to read a stream, open the channel waldo.stream/<device>/<stream>", method)
	}
	return nil
}

// Call calls a method and returns the result: when the device has responded, after Timeout, or when ctx ends.
func (c *Caller) Call(ctx context.Context, call *Call) *Result {
	response, err := c.call(ctx, call)
	c.calls.WithLabelValues(status.Code(err).String()).Inc()
	if err != nil {
		return Failed(call.ID, err)
	}
	return &Result{ID: call.ID, Response: response}
}

func (c *Caller) call(ctx context.Context, call *Call) (json.RawMessage, error) {
	if err := check(call.Method); err != nil {
		return nil, err
	}
	to := target{call.Device, call.Method}
	if err := c.begin(to); err != nil {
		return nil, err
	}
	defer c.end(to)
	ctx, cancel := context.WithTimeout(call.By.Sign(ctx), Timeout)
	defer cancel()
	response, err := c.devices.Call(ctx, dynamic.Call{
		Device: bus.Address{Robot: c.robot, Device: call.Device},
		Method: call.Method, Request: call.Request, MaxResponse: maxAnswer, Read: c.reader(call),
		Allow: func(m protoreflect.MethodDescriptor) error {
			return call.By.Require(roles.Needed(m), call.Device, call.Method)
		}})
	if status.Code(err) == codes.Unavailable {
		if unknown := c.directory.Check(call.Device); unknown != nil {
			return nil, status.Errorf(codes.Unavailable, "%s: %s", status.Convert(err).Message(),
				status.Convert(unknown).Message())
		}
	}
	return response, err
}

func (c *Caller) begin(to target) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[to] >= maxAtOnce {
		return status.Errorf(codes.ResourceExhausted, "%d calls of %s to %.64q are in flight: wait for one to finish",
			maxAtOnce, to.method, to.device)
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
