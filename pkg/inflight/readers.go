package inflight

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	// CallHeader is the response header with the id of a call.
	CallHeader = "waldo-call"
	// WindowHeader is the request metadata by which a reader limits how many unacknowledged messages may
	// be in flight.
	WindowHeader = "waldo-window"
	// MaxWait is how long a value may wait on the server for a slow reader: services pass it to
	// stream.Policy.Within.
	MaxWait = 500 * time.Millisecond
	// MaxWindow is the largest window that can be requested.
	MaxWindow = 1024
)

var (
	// ErrNoCall means that a call is unknown, or has ended.
	ErrNoCall = errors.New("there is no such call, or it has ended")
	// ErrAhead means that more was acknowledged than was sent.
	ErrAhead = errors.New("more messages were acknowledged than were sent")
	// ErrNoWindow means that the acknowledged call was started without a window.
	ErrNoWindow = errors.New("the call was started without the metadata " + WindowHeader)
)

// Readers tracks the readers of one server's streams.
type Readers struct {
	stopping context.Context

	mu    sync.Mutex
	calls map[string]*call
	conns map[string]*conn // by the client's address
}

// New returns the readers of a server that stops when stopping ends: from then on nothing waits for a reader.
func New(stopping context.Context) *Readers {
	return &Readers{stopping: stopping, calls: map[string]*call{}, conns: map[string]*conn{}}
}

// Stream is a [grpc.StreamServerInterceptor]: it gives each streaming call an id, and bounds how much is
// in flight to its reader. The handler of a bidirectional call has to call [Room] itself.
func (r *Readers) Stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if !info.IsServerStream {
		return next(srv, s)
	}
	c, err := r.begin(s.Context())
	if err != nil {
		return err
	}
	defer r.end(c)
	if err := s.SendHeader(metadata.Pairs(CallHeader, c.id)); err != nil {
		return err
	}
	ctx := context.WithValue(s.Context(), callKey{}, c)
	return next(srv, &serverStream{ServerStream: s, ctx: ctx, call: c, wait: !info.IsClientStream})
}

func (r *Readers) begin(ctx context.Context) (*call, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	c := &call{id: rand.Text(), stopping: r.stopping, wake: make(chan struct{}, 1), allowed: 1}
	if given := md.Get(WindowHeader); len(given) > 0 {
		n, err := strconv.Atoi(given[0])
		if err != nil || n < 1 || n > MaxWindow {
			return nil, status.Errorf(codes.InvalidArgument, "metadata %s: %.32q is not a number from 1 to %d", WindowHeader,
				given[0], MaxWindow)
		}
		c.window = n
	}
	c.exact = exact(md)
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := peer.FromContext(ctx); ok && c.window == 0 {
		c.conn = r.conns[p.Addr.String()]
	}
	r.calls[c.id] = c
	return c, nil
}

// proxyHeaders are set by proxies that end the client's connection and pass its calls on over their own:
// Envoy, HAProxy, Traefik, nginx as it is usually set up.
var proxyHeaders = []string{
	"via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "x-request-id",
	"x-envoy-expected-rq-timeout-ms",
}

// exact reports whether the window updates that reach us are those of gRPC's C core.
func exact(md metadata.MD) bool {
	proxied := slices.ContainsFunc(proxyHeaders, func(h string) bool { return len(md.Get(h)) > 0 })
	return !proxied && strings.Contains(strings.Join(md.Get("user-agent"), " "), "grpc-c/")
}

func (r *Readers) end(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, c.id)
}

func (r *Readers) find(id string) *call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[id]
}

// Acknowledge records how many messages of a call its reader has read so far. An acknowledgement cannot
// be taken back. The errors are ErrNoCall, ErrAhead, ErrNoWindow.
func (r *Readers) Acknowledge(id string, messages int64) error {
	c := r.find(id)
	if c == nil {
		return ErrNoCall
	}
	return c.acknowledge(messages)
}

func (r *Readers) add(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c.RemoteAddr().String()] = c
}

func (r *Readers) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if address := c.RemoteAddr().String(); r.conns[address] == c {
		delete(r.conns, address)
	}
}

// serverStream is a stream whose Send returns when there is room for another message.
type serverStream struct {
	grpc.ServerStream
	ctx  context.Context
	call *call
	wait bool
}

func (s *serverStream) Context() context.Context { return s.ctx }

func (s *serverStream) SendMsg(m any) error {
	s.call.sending(m)
	if err := s.ServerStream.SendMsg(m); err != nil || !s.wait {
		return err
	}
	return s.call.room(s.ctx)
}

type callKey struct{}

// Room waits until another message may be sent on the call whose context it is given, and fails with the
// error of ctx. Calls that are not intercepted always have room.
func Room(ctx context.Context) error {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c.room(ctx)
	}
	return ctx.Err()
}
