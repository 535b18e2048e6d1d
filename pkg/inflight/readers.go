package inflight

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
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

// What the clients of a server can make it hold.
const (
	// maxUnsent bounds the bytes of messages that clients have not taken, and also of those that wait for their turn.
	maxUnsent = 128 << 20
	// maxConns bounds the connections: one host has at most as many as are left for others.
	maxConns = 1024
	// maxRunning bounds the calls that are handled at a time: one connection has at most as many as are left for others,
	// so each can have one, and never more than maxOfConn.
	maxRunning, maxOfConn = 2 * maxConns, 512
	// maxMetadata bounds the metadata of a call.
	maxMetadata = 64 << 10
	// patience is how long a unary call waits for room, and how long a client may take nothing before it is disconnected
	// for the sake of others.
	patience = 10 * time.Second
)

// Readers tracks the readers of one server's streams.
type Readers struct {
	stopping context.Context
	unsent   unsent
	maxConns int
	maxCalls int

	mu      sync.Mutex
	running int // calls
	calls   map[string]*call
	conns   map[string]*conn // by the client's address
	strange conn             // stands for those that were not seen
}

// New returns the readers of a server that stops when stopping ends: from then on nothing waits for a reader.
func New(stopping context.Context, log *slog.Logger) *Readers {
	return &Readers{
		stopping: stopping, maxConns: maxConns, maxCalls: maxRunning,
		unsent: unsent{most: maxUnsent, patience: patience, stopping: stopping, log: log, holders: map[*share]struct{}{}},
		calls:  map[string]*call{}, conns: map[string]*conn{},
	}
}

// Options are for the server, which serves what [Readers.Listen] returns. Interceptors that are given before them are
// around theirs. Calls have an id each if they stream, and what is in flight to their readers is bounded; the handler
// of a bidirectional call has to call [Room] itself.
func (r *Readers) Options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(r.unary), grpc.ChainStreamInterceptor(r.stream),
		grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)}),
		grpc.MaxConcurrentStreams(maxOfConn), grpc.MaxHeaderListSize(maxMetadata),
	}
}

// unary is a [grpc.UnaryServerInterceptor].
func (r *Readers) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any,
	error) {
	conn, err := r.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer r.leave(conn)
	response, err := next(ctx, request)
	if err != nil {
		return response, err
	}
	return r.unsent.hold(ctx, &conn.share, response, sizeOf(response), r.unsent.patience)
}

// stream is a [grpc.StreamServerInterceptor].
func (r *Readers) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	conn, err := r.enter(s.Context())
	if err != nil {
		return err
	}
	defer r.leave(conn)
	if !info.IsServerStream {
		return next(srv, s)
	}
	c, err := r.begin(s.Context(), conn)
	if err != nil {
		return err
	}
	defer r.end(c)
	if err := s.SendHeader(metadata.Pairs(CallHeader, c.id)); err != nil {
		return err
	}
	ctx := context.WithValue(s.Context(), callKey{}, c)
	return next(srv, &serverStream{ServerStream: s, ctx: ctx, call: c, wait: !info.IsClientStream, unsent: &r.unsent,
		share: &conn.share})
}

// enter counts a call, and returns its connection.
func (r *Readers) enter(ctx context.Context) (*conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.strange
	if p, ok := peer.FromContext(ctx); ok {
		if seen, ok := r.conns[p.Addr.String()]; ok {
			c = seen
		}
	}
	if r.running+c.running >= r.maxCalls {
		return nil, status.Errorf(codes.ResourceExhausted, "%d calls are under way, %d of them of this connection, which "+
			"can have no more: make fewer at once, or try again later", r.running, c.running)
	}
	r.running++
	c.running++
	return c, nil
}

func (r *Readers) leave(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	c.running--
	c.idle = time.Now()
}

func (r *Readers) begin(ctx context.Context, conn *conn) (*call, error) {
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
	if c.window == 0 && conn != &r.strange {
		c.conn = conn
	}
	r.mu.Lock()
	defer r.mu.Unlock()
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

// add reports whether there may be another connection. If its host has as many as it may have, it takes the place of
// the one that has had no call for longest.
func (r *Readers) add(c *conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ofHost int
	var idle *conn
	for _, one := range r.conns {
		if one.host != c.host {
			continue
		}
		ofHost++
		if one.running == 0 && (idle == nil || one.idle.Before(idle.idle)) {
			idle = one
		}
	}
	if len(r.conns)+ofHost >= r.maxConns {
		if idle == nil {
			return false
		}
		delete(r.conns, idle.share.client)
		idle.cut()
	}
	r.conns[c.share.client] = c
	return true
}

func (r *Readers) remove(c *conn) {
	r.unsent.ended(&c.share)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns[c.share.client] == c {
		delete(r.conns, c.share.client)
	}
}

// serverStream is a stream whose Send returns when there is room for another message.
type serverStream struct {
	grpc.ServerStream
	ctx  context.Context
	call *call
	wait bool

	unsent *unsent
	share  *share
}

func (s *serverStream) Context() context.Context { return s.ctx }

func (s *serverStream) SendMsg(m any) error {
	size := sizeOf(m)
	m, err := s.unsent.hold(s.ctx, s.share, m, size, 0)
	if err != nil {
		return err
	}
	s.call.sending(size)
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
