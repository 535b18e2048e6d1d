package peer

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
)

const (
	// callTimeout is the deadline of calls whose context has none, commandTimeout that of commands.
	callTimeout    = 5 * time.Second
	commandTimeout = time.Second
	// mostWaiting is how many bytes may wait on the channel of calls: only what is sent at this moment. A command that
	// waits is stale, and the next one is about to follow.
	mostWaiting = 1024
	// maxLeases is how many leases are remembered.
	maxLeases = 64
)

// Device returns the connection to a device for generated clients, and for package lease:
//
//	motors := serialv1.NewSerialServiceClient(robot.Device("motors"))
//
// It serves unary calls, with the messages and errors of gRPC. The device need not exist yet, and the connection stays
// valid while the robot is away; calls fail with UNAVAILABLE meanwhile, and nothing is kept to be sent later. A call
// without a deadline gets one of 5 s, a command one of 1 s.
//
// Commands, which are the requests with a waldo.control.v1.CommandHeader, go over a channel that loses rather than
// delays: DEADLINE_EXCEEDED means that the command or its response was lost, and that the next one should follow. All
// other calls are reliable.
//
// A lease does not outlast its connection. Once the robot was Lost, KeepAlive and commands with a lease from before
// fail with FAILED_PRECONDITION, which lease.Lease reports as lost: acquire it again, after asking the present driver.
func (r *Robot) Device(name string) grpc.ClientConnInterface { return &device{r, name} }

type device struct {
	robot *Robot
	name  string
}

// NewStream implements [grpc.ClientConnInterface]; it refuses.
func (d *device) NewStream(_ context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (
	grpc.ClientStream, error,
) {
	return nil, status.Errorf(codes.Unimplemented,
		"%s: a peer gets streams by Robot.Camera, Microphone and Stream, and has "+
			"no gRPC streams", method)
}

// call is a waldo.signaling.v1.Call whose request is JSON already.
type call struct {
	ID      int32           `json:"id"`
	Device  string          `json:"device"`
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
}

// Invoke implements [grpc.ClientConnInterface].
func (d *device) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	request, ok := args.(proto.Message)
	response, ok2 := reply.(proto.Message)
	if !ok || !ok2 {
		return status.Errorf(codes.Internal, "%s: %T and %T are not both messages", method, args, reply)
	}
	data, err := protojson.Marshal(request)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "%s: %v", method, err)
	}
	lossy := headerOf(request) != nil
	timeout := callTimeout
	if lossy {
		timeout = commandTimeout
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	conn, err := d.robot.checkLease(request)
	if err != nil {
		return err
	}
	c := &call{Device: d.name, Method: strings.TrimPrefix(method, "/"), Request: data}
	answer, err := d.robot.call(ctx, c, conn, lossy)
	if err == nil {
		err = answer.into(response)
	}
	if err == nil {
		d.robot.noteLease(conn, response)
	}
	return err
}

// call makes a call and waits for its result.
func (r *Robot) call(ctx context.Context, c *call, conn *connection, lossy bool) (*result, error) {
	r.mu.Lock()
	session := r.session
	r.mu.Unlock()
	if conn == nil || session == nil && !lossy {
		return nil, errNotOpen
	}
	var by any = session
	if lossy {
		by = conn
	}
	id, p, err := r.calls.begin(by)
	if err != nil {
		return nil, err
	}
	defer r.calls.end(id)
	c.ID = id
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	if err := r.post(c, conn, session, lossy); err != nil {
		return nil, err
	}
	select {
	case answer := <-p.result:
		return answer, nil
	case err := <-p.failed:
		return nil, err
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// post sends a call.
func (r *Robot) post(c *call, conn *connection, session *wire, lossy bool) error {
	data, err := json.Marshal(c)
	if err != nil {
		return status.Errorf(codes.Internal, "%s: %v", c.Method, err)
	}
	if lossy {
		return r.channels.calls.send(conn, true, data, mostWaiting)
	}
	data = append(append([]byte(`{"call":`), data...), '}')
	if err := session.write(data); err != nil {
		return status.Errorf(codes.Unavailable, "the connection to the robot was lost: %v", err)
	}
	return nil
}

// headerOf returns the header of a command; nil for any other request.
func headerOf(request proto.Message) *controlv1.CommandHeader {
	if c, ok := request.(interface {
		GetControl() *controlv1.CommandHeader
	}); ok {
		return c.GetControl()
	}
	return nil
}

// granted are the leases that were acquired, by their epoch, with the connection over which they were.
type granted struct {
	conns map[int64]*connection
	order []int64
}

// checkLease returns the connection for a call. It refuses one with a lease from an earlier connection.
func (r *Robot) checkLease(request proto.Message) (*connection, error) {
	epoch := headerOf(request).GetLeaseEpoch()
	if k, ok := request.(*controlv1.KeepAliveRequest); ok {
		epoch = k.GetLeaseEpoch()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if by := r.leases.conns[epoch]; by != nil && by != r.conn {
		return nil, status.Error(codes.FailedPrecondition, "the lease was acquired over a connection that was lost since: "+
			"acquire it again")
	}
	return r.conn, nil
}

// noteLease notes the lease that a response grants.
func (r *Robot) noteLease(conn *connection, response proto.Message) {
	l, ok := response.(interface{ GetLease() *controlv1.Lease })
	epoch := int64(0)
	if ok {
		epoch = l.GetLease().GetEpoch()
	}
	if epoch == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leases.conns == nil {
		r.leases.conns = make(map[int64]*connection)
	}
	if _, known := r.leases.conns[epoch]; !known {
		r.leases.order = append(r.leases.order, epoch)
	}
	r.leases.conns[epoch] = conn
	if len(r.leases.order) > maxLeases {
		delete(r.leases.conns, r.leases.order[0])
		r.leases.order = r.leases.order[1:]
	}
}
