package device

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// guard stands around every call: it asks for the token, counts, and keeps a panic in one call from ending the device.
type guard struct {
	token string
	log   *slog.Logger
	calls *prometheus.CounterVec

	guesses access.Guesses
	wrong   prometheus.Counter
}

func newGuard(token string, log *slog.Logger, r prometheus.Registerer) *guard {
	g := &guard{token: token, log: log, calls: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "waldo_device_calls_total", Help: "Calls that ended, by method and status code."}, []string{"method", "code"}),
		wrong: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_device_wrong_tokens_total", Help: "gRPC calls that presented a wrong token."})}
	r.MustRegister(g.calls, g.wrong)
	return g
}

// unary guards calls over gRPC.
func (g *guard) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo,
	next grpc.UnaryHandler) (response any, err error) {
	defer g.end(info.FullMethod, &err)
	if err := g.authorize(ctx); err != nil {
		return nil, err
	}
	if err := checkSize(request, info.Server, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, request)
}

// checkSize refuses what is larger than the service takes, as the bus does.
func checkSize(request, server any, method string) error {
	m, ok := request.(proto.Message)
	if !ok {
		return nil
	}
	most := maxRequest
	if small, ok := server.(bus.Limited); ok {
		most = small.MaxRequest()
	}
	if proto.Size(m) > most {
		service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
		return bus.TooLarge(service, most)
	}
	return nil
}

// bus guards calls over the bus, where the server has asked for the token.
func (g *guard) bus(ctx context.Context, request any, info *grpc.UnaryServerInfo,
	next grpc.UnaryHandler) (response any, err error) {
	defer g.end(info.FullMethod, &err)
	return next(ctx, request)
}

// stream guards streams, which are on gRPC only.
func (g *guard) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer g.end(info.FullMethod, &err)
	if err := g.authorize(s.Context()); err != nil {
		return err
	}
	return next(srv, s)
}

// end is deferred: it turns a panic, and an error without a code, into one that is the same for callers on gRPC and on
// the bus.
func (g *guard) end(method string, err *error) {
	if p := recover(); p != nil {
		g.log.Error("a call panicked", "method", method, "panic", p, "stack", string(debug.Stack()))
		*err = status.Errorf(codes.Internal, "%s failed unexpectedly; see the device's log", method)
	}
	if _, ok := status.FromError(*err); !ok {
		*err = status.FromContextError(*err).Err() // Canceled, DeadlineExceeded, or else Unknown
	}
	g.calls.WithLabelValues(method, status.Code(*err).String()).Inc()
}

func (g *guard) authorize(ctx context.Context) error {
	if g.token == "" {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	headers := md.Get("authorization")
	for _, header := range headers {
		if access.Allowed(g.token, access.Bearer(header)) {
			return nil
		}
	}
	if len(headers) > 0 && !g.refuse(ctx) {
		return status.Error(codes.ResourceExhausted, "too many wrong tokens from this address: wait a few seconds")
	}
	return status.Error(codes.Unauthenticated, "this device wants a token: send the metadata authorization: Bearer "+
		"<token>")
}

// refuse holds a call with a wrong token back; false if too many of them are being held back already.
func (g *guard) refuse(ctx context.Context) bool {
	g.wrong.Inc()
	address := ""
	if from, ok := peer.FromContext(ctx); ok {
		address = from.Addr.String()
	}
	guess := g.guesses.Wrong(ctx, address)
	if guess.Report {
		g.log.Warn("a wrong token was presented", "client", guess.Client, "guesses", guess.Count)
	}
	return guess.Waited
}
