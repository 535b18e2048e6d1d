package bus

import (
	"context"
	"errors"
	"fmt"
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
)

const (
	// maxCalls is how many calls a service works on at once; further ones are refused with ResourceExhausted.
	maxCalls = 64
	// longestCall bounds the time a caller may ask for.
	longestCall = time.Minute
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
	slots  chan struct{}
	calls  sync.WaitGroup
	close  sync.Once
}

// Serve registers a device. Its methods are added with [Service.RegisterService].
func (c *Conn) Serve(cfg ServiceConfig) (*Service, error) {
	if err := cfg.Address.Validate(); err != nil {
		return nil, err
	}
	metadata := map[string]string{"robot": cfg.Address.Robot, "device": cfg.Address.Device, "kind": cfg.Kind}
	for k, v := range cfg.Metadata {
		metadata[k] = v
	}
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
	s := &Service{conn: c, cfg: cfg, micro: m, slots: make(chan struct{}, maxCalls)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	c.mu.Lock()
	c.services = append(c.services, s)
	c.mu.Unlock()
	return s, nil
}

// RegisterService serves the unary methods of a gRPC service. impl is what one would give to a gRPC server.
func (s *Service) RegisterService(desc *grpc.ServiceDesc, impl any) error {
	for _, method := range desc.Methods {
		joiner := newJoiner(s.conn.metrics)
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

// Close leaves the bus and returns when the calls under way have ended; their contexts are cancelled.
func (s *Service) Close() {
	s.close.Do(func() {
		s.cancel()
		_ = s.micro.Stop() // fails only if the connection is closed, which has the same effect
	})
	s.calls.Wait()
}

// dispatch runs a call on a goroutine of its own, so that a slow one does not hold up the others.
func (s *Service) dispatch(method grpc.MethodDesc, impl any, m *nats.Msg) {
	if m.Reply == "" || s.ctx.Err() != nil {
		return // nobody waits for an answer
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.answer(m, nil, status.Errorf(codes.ResourceExhausted, "%s is busy with %d calls", s.cfg.Address, maxCalls))
		return
	}
	s.calls.Go(func() {
		defer func() { <-s.slots }()
		response, err := s.call(method, impl, m)
		s.answer(m, response, err)
	})
}

func (s *Service) call(method grpc.MethodDesc, impl any, m *nats.Msg) (any, error) {
	ctx, cancel := context.WithTimeout(s.ctx, callTimeout(m))
	defer cancel()
	decode := func(v any) error {
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
	return method.Handler(impl, ctx, decode, s.cfg.Interceptor)
}

func callTimeout(m *nats.Msg) time.Duration {
	d, err := time.ParseDuration(m.Header.Get(timeoutHeader))
	if err != nil || d <= 0 {
		return defaultTimeout
	}
	return min(d, longestCall)
}

func (s *Service) answer(m *nats.Msg, response any, callErr error) {
	answer := &nats.Msg{Subject: m.Reply, Header: nats.Header{}}
	if callErr == nil {
		answer.Data, callErr = proto.Marshal(response.(proto.Message))
	}
	if callErr != nil {
		st := status.Convert(callErr)
		answer.Header.Set(micro.ErrorHeader, st.Message())
		answer.Header.Set(micro.ErrorCodeHeader, strconv.Itoa(int(st.Code())))
		answer.Data, _ = proto.Marshal(st.Proto()) // without it the headers still tell
	}
	if err := s.conn.send(answer); err != nil && !errors.Is(err, ErrDisconnected) {
		s.conn.log.Warn("answer a call", "subject", m.Subject, "error", err)
	}
}
