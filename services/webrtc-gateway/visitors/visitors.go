// Package visitors knows who is at the gateway, and what they may do.
//
// Everyone who gets in becomes a [Visitor], with the grant of their token. What lasts longer than a request has a
// visitor of its own ([Visitor.Join]): a session, a WebRTC connection, a WebSocket. The context of a visitor ends when
// they leave, and within about a quarter of a second when their token is revoked or expires, so everything that was
// opened with the token ends with it.
//
// Refusals are counted, and kept in the audit log. Everything is safe for concurrent use; [Visitors.Run] needs a
// goroutine of the caller.
package visitors

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/sessions"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
)

// Config configures Visitors. Authority is required.
type Config struct {
	Authority *tokens.Authority
	// Audit keeps who came and what was refused; nil: nothing does.
	Audit *audit.Log
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Visitors are those of one gateway.
type Visitors struct {
	authority *tokens.Authority
	sessions  *sessions.Sessions
	audit     *audit.Log
	refused   *prometheus.CounterVec
}

// New returns the visitors of a gateway that asks an authority.
func New(c Config) *Visitors {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	v := &Visitors{authority: c.Authority, sessions: sessions.New(c.Authority, c.Log), audit: c.Audit,
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_gateway_refused_total", Help: "Requests and calls that were refused, by what was wrong with their " +
				"token: missing, unknown, expired, revoked; unreadable, the file of tokens; role, it allows too little."},
			[]string{"reason"})}
	if c.Metrics != nil {
		c.Metrics.MustRegister(v.refused)
	}
	return v
}

// Run ends visits whose token has ended, until ctx ends.
func (v *Visitors) Run(ctx context.Context) { v.sessions.Run(ctx) }

// Refused notes that somebody was not let in because of an error of the authority. The grant is what their token was
// once good for, if that is known; from is their address, what is what they wanted.
func (v *Visitors) Refused(g tokens.Grant, err error, from, what string) {
	reason := tokens.Reason(err)
	v.refused.WithLabelValues(reason).Inc()
	if reason != tokens.Reason(tokens.ErrMissing) {
		v.audit.Write(audit.Event{Kind: audit.Refused, From: from, What: what, Reason: reason}.By(g))
	}
}

// Enter lets somebody in whose token was checked. Their context is derived from ctx. [Visitor.Leave] must be called.
func (v *Visitors) Enter(ctx context.Context, g tokens.Grant, from string) *Visitor {
	return v.EnterBy(ctx, g, "", from)
}

// EnterBy is Enter for somebody who has shown a login in place of the token, with which the visit ends.
func (v *Visitors) EnterBy(ctx context.Context, g tokens.Grant, login, from string) *Visitor {
	return &Visitor{of: v, session: v.sessions.OpenBy(ctx, g, login), from: from}
}

// SignOut ends all visits of a login.
func (v *Visitors) SignOut(login string) { v.sessions.End(login) }

// EnterGuest lets somebody in who has shown a token that the authority does not know.
func (v *Visitors) EnterGuest(ctx context.Context, g tokens.Grant, from string) *Visitor {
	return &Visitor{of: v, session: v.sessions.Fixed(ctx, g), from: from}
}

// Owner returns a visitor who may do everything, as where no token is needed.
func Owner() *Visitor {
	v := New(Config{Authority: tokens.NewAuthority("", nil)})
	return v.Enter(context.Background(), tokens.Grant{Role: roles.Admin}, "")
}

// Visitor is somebody at the gateway. A nil visitor may do nothing.
type Visitor struct {
	of      *Visitors
	session *sessions.Session
	from    string
}

// Join lets the same visitor in once more, for something that lasts longer; ctx may be another one.
func (v *Visitor) Join(ctx context.Context) *Visitor {
	return &Visitor{of: v.of, session: v.session.Again(ctx), from: v.from}
}

// Leave ends the visit. It may be called more than once.
func (v *Visitor) Leave() {
	if why := v.session.Ended(); why != nil {
		v.of.audit.Write(audit.Event{Kind: audit.Ended, From: v.from, Reason: why.Error()}.By(v.Grant()))
	}
	v.session.Close()
}

// Context ends with the visit.
func (v *Visitor) Context() context.Context { return v.session.Context() }

// Ended returns why the visitor's token ended the visit, for people to read; nil if it did not.
func (v *Visitor) Ended() error { return v.session.Ended() }

// Grant is what their token gives.
func (v *Visitor) Grant() tokens.Grant { return v.session.Grant() }

// User is the name of a person or program with a token of their own; empty for all others.
func (v *Visitor) User() string {
	if v == nil || !v.Grant().IsNamed() {
		return ""
	}
	return v.Grant().Name
}

// Sign returns a context for calls on behalf of the visitor: from their address and, if they have a token of their own,
// in its name.
func (v *Visitor) Sign(ctx context.Context) context.Context {
	if v == nil {
		return ctx
	}
	ctx = access.WithFrom(ctx, v.from)
	if v.User() == "" {
		return ctx
	}
	return access.WithTokenID(access.WithUser(ctx, v.User()), v.Grant().ID)
}

// Same reports whether another visitor has come with the same token.
func (v *Visitor) Same(other *Visitor) bool {
	a, b := v.Grant(), other.Grant()
	return a.ID == b.ID && a.Name == b.Name
}

// Began notes that something began which lasts, such as a session or a connection.
func (v *Visitor) Began(what string) {
	if v.Grant().Name != "" {
		v.of.audit.Write(audit.Event{Kind: audit.Login, From: v.from, What: what}.By(v.Grant()))
	}
}

// Require returns nil if the visitor may do what needs a role, see [tokens.Grant.Require]; what names it for people. A
// refusal is counted and kept.
func (v *Visitor) Require(need roles.Role, device, what string) error {
	if v == nil {
		return status.Errorf(codes.PermissionDenied, "%s needs the role %s, and nobody is known who asks", what, need)
	}
	if why := v.Ended(); why != nil {
		return tokens.Status(why)
	}
	err := v.Grant().Require(need, device, what)
	if err != nil {
		v.of.refused.WithLabelValues("role").Inc()
		v.of.audit.Write(audit.Event{Kind: audit.Refused, From: v.from, Device: device, What: what,
			Reason: "role"}.By(v.Grant()))
	}
	return err
}
