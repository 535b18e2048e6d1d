package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/access"
)

const (
	// timeoutHeader is how long the caller waits, as a Go duration.
	timeoutHeader = "Waldo-Timeout"
	// userHeader is the user on whose behalf the call is made, see [access.WithUser].
	userHeader = "Waldo-User"
	// tokenHeader is the id of the token of that user, see [access.WithTokenID].
	tokenHeader = "Waldo-Token-Id"
	// fromHeader is the address of that user, see [access.WithFrom].
	fromHeader = "Waldo-From"
	// defaultTimeout applies to calls whose context has no deadline.
	defaultTimeout = 5 * time.Second
)

// Client returns a connection for generated gRPC clients that carries their unary calls over the bus to one device.
// Errors have the codes that the device gave them; besides, Unavailable means that no such device, or no bus, is there
// now, PermissionDenied that the server does not allow this connection to call it, and DeadlineExceeded that it did not
// answer in time (5 s if the context sets no deadline). Streams are not served on the bus (Unimplemented): dial the
// device's gRPC address for those. gRPC metadata does not travel, but the name of the user, the id of their token and
// their address do ([access.WithUser], [access.WithTokenID], [access.WithFrom]); of the call options, [OfEpoch] and
// [grpc.MaxCallRecvMsgSize] count. A caller that gives up is not noticed by the device, whose handler goes on until the
// deadline.
func (c *Conn) Client(a Address) grpc.ClientConnInterface { return client{c, a, a.Validate()} }

type client struct {
	conn    *Conn
	address Address
	invalid error // why the address is not one, or nil
}

// Invoke implements [grpc.ClientConnInterface].
func (c client) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	if c.invalid != nil {
		return status.Error(codes.InvalidArgument, c.invalid.Error())
	}
	request, ok := args.(proto.Message)
	response, ok2 := reply.(proto.Message)
	if !ok || !ok2 {
		return status.Errorf(codes.Internal, "%s: only protobuf messages travel on the bus", method)
	}
	data, err := proto.Marshal(request)
	if err != nil {
		return status.Errorf(codes.Internal, "%s: %v", method, err)
	}
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	msg := &nats.Msg{Subject: c.address.RPC(service, name), Header: nats.Header{typeHeader: {typeName(request)}},
		Data: data}
	if user := access.User(ctx); user != "" {
		msg.Header.Set(userHeader, user)
	}
	if id := access.TokenID(ctx); id != "" {
		msg.Header.Set(tokenHeader, id)
	}
	if from := access.From(ctx); from != "" {
		msg.Header.Set(fromHeader, from)
	}
	most := maxMessage
	for _, option := range options {
		switch o := option.(type) {
		case ofEpoch:
			msg.Header.Set(epochHeader, strconv.FormatInt(o.epoch, 10))
		case grpc.MaxRecvMsgSizeCallOption:
			most = min(most, o.MaxRecvMsgSize)
		}
	}
	answer, err := c.conn.request(ctx, msg, most)
	if err != nil {
		return c.conn.callError(c.address, err)
	}
	if err := answerError(answer); err != nil {
		return err
	}
	if err := proto.Unmarshal(answer.Data, response); err != nil {
		return status.Errorf(codes.Internal, "%s: answer of %s: %v", method, c.address, err)
	}
	return nil
}

// ErrRestarted is wrapped by the error of a call with [OfEpoch] that met another life of its device. The device did
// nothing.
var ErrRestarted = errors.New("the device has restarted since it described itself")

// OfEpoch is an option of calls over the bus: the request was made for one life of the device, and another refuses it
// with [ErrRestarted], codes.Aborted. A device older than this option ignores it.
func OfEpoch(epoch int64) grpc.CallOption { return ofEpoch{epoch: epoch} }

type ofEpoch struct {
	grpc.EmptyCallOption
	epoch int64
}

// restarted is the error of a call that was for another life.
type restarted struct{ text string }

func (r restarted) Error() string              { return r.text }
func (r restarted) Unwrap() error              { return ErrRestarted }
func (r restarted) GRPCStatus() *status.Status { return status.New(codes.Aborted, r.text) }

// NewStream implements [grpc.ClientConnInterface].
func (c client) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Errorf(codes.Unimplemented, "streams of %s are served on its gRPC address, not on the bus",
		c.address)
}

// request sends a message of any size and waits for an answer of at most so many bytes. If the bus goes away meanwhile
// it fails at once: the answer would be lost.
func (c *Conn) request(ctx context.Context, m *nats.Msg, most int) (*nats.Msg, error) {
	l := c.link.Load()
	if l == nil {
		return nil, ErrDisconnected
	}
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	defer context.AfterFunc(l.ctx, func() { abort(ErrDisconnected) })()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	deadline, _ := ctx.Deadline()
	m.Header.Set(timeoutHeader, time.Until(deadline).String())
	m.Reply = c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(m.Reply)
	if err != nil {
		return nil, sendError(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection
	defer c.refusals.watch(m.Subject, func() { abort(ErrRefused) })()
	if err := c.send(m); err != nil {
		return nil, err
	}
	joiner := c.parts.joiner()
	defer joiner.close()
	var tooLarge error
	joiner.limit, joiner.refuse = most, func(*nats.Msg) { tooLarge = answerTooLarge(most) }
	for {
		part, err := sub.NextMsgWithContext(ctx)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return nil, cause
		}
		if err != nil {
			return nil, err
		}
		whole := joiner.join(part)
		if whole != nil || tooLarge != nil {
			return whole, tooLarge
		}
	}
}

// answerTooLarge is the error for an answer that has more bytes than the caller takes.
type answerTooLarge int

func (most answerTooLarge) Error() string {
	return fmt.Sprintf("the answer has more than %d bytes: ask for less", int(most))
}

const (
	// launcher is the address of LauncherService in a robot.
	launcher = "launcher"
	// noLauncher says what to do without one, to programs that would open a slot, and to others.
	noLauncher = "only `waldo up` runs a launcher; a robot that runs as units of systemd has none, and opens no slots: " +
		"add a device {kind: peer} to robot.yaml, run `waldo reload`, and publish to that"
)

// callError turns the reason for a missing answer into a gRPC status.
func (c *Conn) callError(a Address, err error) error {
	silent := errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded)
	if silent && c.away != nil {
		if away := c.away(a.Robot); away != "" {
			return status.Errorf(codes.Unavailable, "%s; so device %s cannot be reached", away, a.Device)
		}
	}
	switch {
	case errors.Is(err, ErrRefused):
		return status.Errorf(codes.PermissionDenied, "this method of device %s: %v: %s", a, err, remedy)
	case errors.Is(err, nats.ErrNoResponders) && a.Device == launcher:
		return status.Errorf(codes.Unavailable, "device %s is not running: %s", a, noLauncher)
	case errors.Is(err, nats.ErrNoResponders):
		return status.Errorf(codes.Unavailable, "device %s is not running", a)
	case errors.Is(err, context.DeadlineExceeded):
		return status.Errorf(codes.DeadlineExceeded, "device %s did not answer in time", a)
	case errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	case errors.As(err, new(answerTooLarge)):
		return status.Errorf(codes.ResourceExhausted, "device %s: %v", a, err)
	case errors.Is(err, errTooLarge):
		return status.Errorf(codes.ResourceExhausted, "request to device %s: %v", a, err)
	default:
		return status.Errorf(codes.Unavailable, "device %s: %v", a, err)
	}
}

// answerError returns the error that an answer carries, or nil.
func answerError(m *nats.Msg) error {
	code := m.Header.Get(micro.ErrorCodeHeader)
	if code == "" {
		return nil
	}
	if m.Header.Get(epochHeader) != "" {
		return restarted{m.Header.Get(micro.ErrorHeader)}
	}
	var st spb.Status
	if err := proto.Unmarshal(m.Data, &st); err == nil && st.Code != 0 {
		return status.ErrorProto(&st)
	}
	n, err := strconv.Atoi(code)
	if err != nil || n <= 0 || n > int(codes.Unauthenticated) {
		n = int(codes.Unknown)
	}
	return status.Error(codes.Code(n), m.Header.Get(micro.ErrorHeader))
}
