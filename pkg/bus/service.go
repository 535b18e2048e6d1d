package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/access"
)

const (
	// maxCalls is how many calls of one method a service works on at once; further ones are refused with
	// ResourceExhausted. Each method has a budget of its own, so that a flood of slow calls cannot keep a hold or an
	// e-stop out.
	maxCalls = 64
	// longestCall bounds the time a caller may ask for.
	longestCall = time.Minute
	// maxErrorHeader keeps the headers of an answer within headerAllowance; the data has the whole text.
	maxErrorHeader = 512
)

// ServiceConfig describes the device that serves.
type ServiceConfig struct {
	// Address of the device; it must be valid.
	Address Address
	// Kind of the device. It is registered with NATS micro as waldo-<kind>.
	Kind string
	// Version of the program, in the form 1.2.3.
	Version string
	// Metadata is shown to those who look for services, beside robot, device and kind.
	Metadata map[string]string
	// Epoch of the device; see [OfEpoch]. 0: calls for any are served.
	Epoch int64
	// MaxRequest bounds the size of requests, in bytes; 0: 64 MiB. What is [Limited] bounds it further for its service.
	MaxRequest int
	// Interceptor runs around every call, as on a gRPC server. May be nil.
	Interceptor grpc.UnaryServerInterceptor
}

// Service is the bus side of one device's API. It is registered with NATS micro, so `nats micro ls` shows it.
type Service struct {
	conn   *Conn
	cfg    ServiceConfig
	micro  micro.Service
	ctx    context.Context
	cancel context.CancelFunc
	leave  func() // the connection need not close it any more

	calls   sync.WaitGroup
	mu      sync.Mutex
	running map[string]int // by subject
	closed  bool
}

// Serve registers a device. Its methods are added with [Service.RegisterService].
func (c *Conn) Serve(cfg ServiceConfig) (*Service, error) {
	if err := cfg.Address.Validate(); err != nil {
		return nil, err
	}
	metadata := map[string]string{}
	maps.Copy(metadata, cfg.Metadata)
	metadata["robot"], metadata["device"], metadata["kind"] = cfg.Address.Robot, cfg.Address.Device, cfg.Kind
	m, err := micro.AddService(c.nc, micro.Config{
		Name:               servicePrefix + cfg.Kind,
		Version:            cfg.Version,
		Description:        fmt.Sprintf("%s %s of robot %s", cfg.Kind, cfg.Address.Device, cfg.Address.Robot),
		Metadata:           metadata,
		QueueGroupDisabled: true, // parts of one request must all come here
	})
	if err != nil {
		return nil, fmt.Errorf("register %s on the bus: %w", cfg.Address, err)
	}
	s := &Service{conn: c, cfg: cfg, micro: m, running: map[string]int{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.Lock() // Close waits until leave is known
	defer s.mu.Unlock()
	if s.leave, err = c.adopt(s.Close); err != nil {
		s.cancel()
		_ = m.Stop()
		return nil, fmt.Errorf("register %s on the bus: %w", cfg.Address, err)
	}
	return s, nil
}

// RegisterService serves the unary methods of a gRPC service. impl is what one would give to a gRPC server.
func (s *Service) RegisterService(desc *grpc.ServiceDesc, impl any) error {
	for _, method := range desc.Methods {
		joiner := s.joiner(desc.ServiceName, impl)
		handler := func(r micro.Request) {
			m := &nats.Msg{Subject: r.Subject(), Reply: r.Reply(), Header: nats.Header(r.Headers()), Data: r.Data()}
			if whole := joiner.join(m); whole != nil {
				s.dispatch(method, impl, whole)
			}
		}
		name := strings.ReplaceAll(desc.ServiceName, ".", "-") + "-" + method.MethodName
		subject := s.cfg.Address.RPC(desc.ServiceName, method.MethodName)
		err := s.micro.AddEndpoint(name, micro.HandlerFunc(handler), micro.WithEndpointSubject(subject))
		if err != nil {
			return fmt.Errorf("serve %s on the bus: %w", subject, err)
		}
	}
	return nil
}

// Limited is implemented by what serves a gRPC service whose requests are small.
type Limited interface {
	// MaxRequest is the size of the largest request, in bytes.
	MaxRequest() int
}

// TooLarge is the error for a request that is larger than the most bytes that a service takes.
func TooLarge(service string, most int) error {
	return status.Errorf(codes.ResourceExhausted, "the request is larger than the %d bytes that %s takes", most, service)
}

// joiner returns what puts the requests of a service together, as far as they are not too large.
func (s *Service) joiner(service string, impl any) *joiner {
	j := s.conn.parts.joiner()
	if s.cfg.MaxRequest > 0 {
		j.limit = s.cfg.MaxRequest
	}
	if small, ok := impl.(Limited); ok {
		j.limit = min(j.limit, small.MaxRequest())
	}
	j.refuse = func(first *nats.Msg) {
		if isPlaceOfAnswers(first.Reply) {
			s.answer(first, nil, TooLarge(service, j.limit))
		}
	}
	return j
}

// Close leaves the bus and returns when the calls under way have ended; their contexts are cancelled. It may be called
// more than once, but not from a handler.
func (s *Service) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if !closed {
		s.cancel()
		_ = s.micro.Stop() // fails only if the connection is closed, which has the same effect
	}
	s.calls.Wait()
	s.leave()
}

// Leave has no more calls come; those that have come already are answered. Close is still to be called. It returns at
// once; after a [Conn.Flush] the server knows.
func (s *Service) Leave() {
	_ = s.micro.Stop() // fails only if the connection is closed, which has the same effect
}

// dispatch runs a call on a goroutine of its own, so that a slow one does not hold up the others.
func (s *Service) dispatch(method grpc.MethodDesc, impl any, m *nats.Msg) {
	if !isPlaceOfAnswers(m.Reply) {
		return
	}
	if !s.isFor(m) {
		s.refuse(m)
		return
	}
	if err := s.begin(m.Subject); err != nil {
		s.answer(m, nil, err)
		return
	}
	go func() {
		defer s.end(m.Subject)
		response, err := s.call(method, impl, m)
		s.answer(m, response, err)
	}()
}

// isPlaceOfAnswers reports whether somebody waits for an answer at a subject. A caller that names one of Waldo's own,
// or of NATS itself, such as a command of JetStream, wants to have a command of theirs sent by us.
func isPlaceOfAnswers(reply string) bool {
	return reply != "" && !strings.HasPrefix(reply, root) && !strings.HasPrefix(reply, "$")
}

// isFor reports whether a call is for this life of the device, or for any.
func (s *Service) isFor(m *nats.Msg) bool {
	epoch := m.Header.Get(epochHeader)
	return epoch == "" || s.cfg.Epoch == 0 || epoch == strconv.FormatInt(s.cfg.Epoch, 10)
}

// refuse answers a call that is for another life. The header makes it an [ErrRestarted] for the caller.
func (s *Service) refuse(m *nats.Msg) {
	answer := answerMsg(m.Reply, nil, status.Errorf(codes.Aborted, "device %s: %v", s.cfg.Address, ErrRestarted))
	answer.Header.Set(epochHeader, strconv.FormatInt(s.cfg.Epoch, 10))
	if err := s.conn.send(answer); err != nil && !errors.Is(err, ErrDisconnected) {
		s.conn.log.Warn("answer a call", "subject", m.Subject, "error", err)
	}
}

func (s *Service) begin(subject string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return status.Errorf(codes.Unavailable, "device %s is stopping", s.cfg.Address)
	case s.running[subject] == maxCalls:
		return status.Errorf(codes.ResourceExhausted, "device %s is busy with %d calls of this method; try again",
			s.cfg.Address, maxCalls)
	}
	s.running[subject]++
	s.calls.Add(1)
	return nil
}

func (s *Service) end(subject string) {
	s.mu.Lock()
	s.running[subject]--
	s.mu.Unlock()
	s.calls.Done()
}

// call runs the handler. Its panic is answered as Internal: one bad call must not take the hardware away from
// everybody.
func (s *Service) call(method grpc.MethodDesc, impl any, m *nats.Msg) (response any, err error) {
	ctx, cancel := context.WithTimeout(caller(s.ctx, m), callTimeout(m))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			s.conn.log.Error("panic in a call", "subject", m.Subject, "panic", p, "stack", string(debug.Stack()))
			err = status.Errorf(codes.Internal, "device %s failed in %s", s.cfg.Address, method.MethodName)
		}
	}()
	return method.Handler(impl, ctx, s.decoder(m), s.cfg.Interceptor)
}

// caller adds to a context who calls: as the call says, or else by whose token they are to have the answer.
func caller(ctx context.Context, m *nats.Msg) context.Context {
	id := m.Header.Get(tokenHeader)
	if to, found := strings.CutPrefix(m.Reply, InboxPrefix("")); found && id == "" {
		if owner, _, _ := strings.Cut(to, "."); isTokenID.MatchString(owner) {
			id = owner
		}
	}
	ctx = access.WithFrom(access.WithUser(ctx, m.Header.Get(userHeader)), m.Header.Get(fromHeader))
	return access.WithTokenID(ctx, id)
}

// decoder returns what reads the request in m into a message of the method's type.
func (s *Service) decoder(m *nats.Msg) func(any) error {
	return func(v any) error {
		request := v.(proto.Message)
		if got, want := m.Header.Get(typeHeader), typeName(request); got != "" && got != want {
			s.conn.metrics.ignored.WithLabelValues("type").Inc()
			return status.Errorf(codes.InvalidArgument, "the request is a %s, not a %s", got, want)
		}
		if err := proto.Unmarshal(m.Data, request); err != nil {
			s.conn.metrics.ignored.WithLabelValues("decode").Inc()
			return status.Errorf(codes.InvalidArgument, "the request is not a %s: %v", typeName(request), err)
		}
		return nil
	}
}

func callTimeout(m *nats.Msg) time.Duration {
	d, err := time.ParseDuration(m.Header.Get(timeoutHeader))
	if err != nil || d <= 0 {
		return defaultTimeout
	}
	return min(d, longestCall)
}

func (s *Service) answer(m *nats.Msg, response any, callErr error) {
	err := s.conn.send(answerMsg(m.Reply, response, callErr))
	if errors.Is(err, errTooLarge) {
		err = s.conn.send(answerMsg(m.Reply, nil, status.Errorf(codes.ResourceExhausted, "the answer of %s: %v", m.Subject,
			err)))
	}
	if err != nil && !errors.Is(err, ErrDisconnected) {
		s.conn.log.Warn("answer a call", "subject", m.Subject, "error", err)
	}
}

// answerMsg packs a response, or an error: as a whole in the data, and for other micro clients in headers.
func answerMsg(to string, response any, err error) *nats.Msg {
	msg := &nats.Msg{Subject: to, Header: nats.Header{}}
	if err == nil {
		msg.Data, err = proto.Marshal(response.(proto.Message))
	}
	if err != nil {
		st, ok := status.FromError(err)
		if !ok { // as a gRPC server does
			st = status.FromContextError(err)
		}
		text := st.Message()
		msg.Header.Set(micro.ErrorHeader, text[:min(len(text), maxErrorHeader)])
		msg.Header.Set(micro.ErrorCodeHeader, strconv.Itoa(int(st.Code())))
		msg.Data, _ = proto.Marshal(st.Proto()) // without it the headers still tell
	}
	return msg
}
