package device

import (
	"context"
	"crypto/rand"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/sessions"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// guard stands around every call: it asks for a token whose role is enough, counts, and keeps a panic in one call from
// ending the device.
type guard struct {
	device    string
	tls       bool // calls of other machines must come by TLS
	authority *tokens.Authority
	self      string // what the process itself presents when it asks whether it is alive
	sessions  *sessions.Sessions
	audit     *audit.Log
	log       *slog.Logger
	calls     *prometheus.CounterVec
	refused   *prometheus.CounterVec

	// by method, of services that are not linked into the program; complete before the first call
	defined map[string]roles.Role

	streaming atomic.Int64 // calls under way that stream what the device produces or accepts

	guesses access.Guesses
	wrong   prometheus.Counter
}

func newGuard(s Settings, audits *audit.Log, log *slog.Logger, r prometheus.Registerer) *guard {
	authority := s.authority()
	g := &guard{defined: map[string]roles.Role{}, device: s.Device, tls: s.TLSCert != "", authority: authority,
		self: rand.Text(), sessions: sessions.New(authority, log), audit: audits, log: log,
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_device_calls_total", Help: "Calls that ended, by method and status code."}, []string{"method", "code"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_device_refused_total", Help: "gRPC calls that were refused, by what was wrong with their token: " +
				"missing, unknown, expired, revoked; unreadable, the file of tokens; role, it allows too little; tls, it came in " +
				"the clear."},
			[]string{"reason"}),
		wrong: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_device_wrong_tokens_total", Help: "gRPC calls that presented a wrong token."})}
	r.MustRegister(g.calls, g.wrong, g.refused)
	return g
}

// unary guards calls over gRPC.
func (g *guard) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo,
	next grpc.UnaryHandler) (response any, err error) {
	defer g.end(info.FullMethod, &err)
	grant, err := g.authorize(ctx, info.FullMethod, g.needed(info.FullMethod, false))
	if err != nil {
		return nil, err
	}
	if err := checkSize(request, info.Server, info.FullMethod); err != nil {
		return nil, err
	}
	return next(withUser(ctx, grant), request)
}

// needed is the role that a method needs.
func (g *guard) needed(method string, readsOnly bool) roles.Role {
	if r, defined := g.defined[method]; defined {
		return r
	}
	return roles.NeededFor(method, readsOnly)
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

// withUser tells the handler from where the call comes, and names the caller if there is a name.
func withUser(ctx context.Context, grant tokens.Grant) context.Context {
	ctx = access.WithFrom(ctx, caller(ctx))
	if !grant.IsNamed() {
		return ctx
	}
	return access.WithTokenID(access.WithUser(ctx, grant.Name), grant.ID)
}

// stream guards streams, which are on gRPC only. One ends when the token of its caller does.
func (g *guard) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer g.end(info.FullMethod, &err)
	need := g.needed(info.FullMethod, info.IsServerStream && !info.IsClientStream)
	grant, err := g.authorize(s.Context(), info.FullMethod, need)
	if err != nil {
		return err
	}
	if !aside(info.FullMethod) {
		g.streaming.Add(1)
		defer g.streaming.Add(-1)
	}
	session := g.sessions.Open(withUser(s.Context(), grant), grant)
	defer session.Close()
	err = next(srv, guarded{s, session})
	if why := session.Ended(); why != nil {
		g.audit.Write(audit.Event{Kind: audit.Ended, From: caller(s.Context()), Device: g.device, What: info.FullMethod,
			Reason: why.Error()}.By(grant))
		return tokens.Status(why)
	}
	return err
}

// guarded is a stream that lasts as long as the session of its caller.
type guarded struct {
	grpc.ServerStream
	session *sessions.Session
}

// Context implements [grpc.ServerStream].
func (s guarded) Context() context.Context { return s.session.Context() }

// RecvMsg implements [grpc.ServerStream]. A message that came too late does not count.
func (s guarded) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if why := s.session.Ended(); why != nil {
		return tokens.Status(why)
	}
	return err
}

// aside reports whether a streaming method is one that every device serves, about itself.
func aside(method string) bool {
	return strings.HasPrefix(method, "/grpc.") || strings.HasPrefix(method, "/waldo.device.")
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

// maxPresented is how many tokens of a call count. Each may be a guess, and guesses are slowed down by the call.
const maxPresented = 2

// authorize returns what the token of a call gives. A call may present two; the first one that is good counts.
func (g *guard) authorize(ctx context.Context, method string, need roles.Role) (tokens.Grant, error) {
	if g.tls {
		if err := encrypted(ctx); err != nil {
			g.note(ctx, tokens.Grant{}, method, "tls")
			return tokens.Grant{}, err
		}
	}
	grant, guessed, err := g.try(ctx)
	if guessed && !g.refuse(ctx) { // a caller let in by another token has guessed all the same
		g.note(ctx, grant, method, tokens.Reason(tokens.ErrUnknown))
		return grant, status.Error(codes.ResourceExhausted, "too many wrong tokens from this address: wait a few seconds")
	}
	if err != nil {
		g.note(ctx, grant, method, tokens.Reason(err))
		return grant, tokens.Status(err)
	}
	if err = grant.Require(need, g.device, method); err != nil {
		g.note(ctx, grant, method, "role")
	}
	return grant, err
}

// try tries the tokens of a call until one is good, and tells whether one of those is wrong.
func (g *guard) try(ctx context.Context) (grant tokens.Grant, guessed bool, err error) {
	if grant, err = g.authority.Check(""); err == nil { // none is needed
		return grant, false, nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	headers := md.Get("authorization")
	headers = headers[:min(len(headers), maxPresented)]
	check := func(header string) (tokens.Grant, error) { return g.check(access.Bearer(header)) }
	grant, _, guessed, err = tokens.Try(check, headers)
	return grant, guessed, err
}

// check returns what a token gives; that of the process itself is a viewer's.
func (g *guard) check(token string) (tokens.Grant, error) {
	if access.Allowed(g.self, token) {
		return tokens.Grant{Role: roles.Viewer}, nil
	}
	return g.authority.Check(token)
}

// note counts a refused call, and keeps it for those who look into what happened.
func (g *guard) note(ctx context.Context, grant tokens.Grant, method, reason string) {
	g.refused.WithLabelValues(reason).Inc()
	if reason == tokens.Reason(tokens.ErrMissing) {
		return // nothing was tried
	}
	g.audit.Write(audit.Event{Kind: audit.Refused, From: caller(ctx), Device: g.device, What: method,
		Reason: reason}.By(grant))
}

// caller is where a call comes from, host:port; empty if that is not known.
func caller(ctx context.Context) string {
	if from, ok := peer.FromContext(ctx); ok {
		return from.Addr.String()
	}
	return ""
}

// refuse holds a call with a wrong token back; false if too many of them are being held back already.
func (g *guard) refuse(ctx context.Context) bool {
	g.wrong.Inc()
	guess := g.guesses.Wrong(ctx, caller(ctx))
	if guess.Report {
		g.log.Warn("a wrong token was presented", "client", guess.Client, "guesses", guess.Count)
	}
	return guess.Waited
}
