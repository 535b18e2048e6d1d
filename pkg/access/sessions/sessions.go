// Package sessions ends what is open when its token does.
//
// A listener checks a token when something begins, and keeps a [Session] for as long as it lasts: a WebSocket, a
// stream, a connection. When the token is revoked or expires, or its role is another one, the session's context ends
// within about a quarter of a second, with the reason as its cause ([Session.Ended]). A visitor with a good token may
// begin again.
//
// Everything is safe for concurrent use. [Sessions.Run] needs a goroutine of the caller.
package sessions

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

// ErrChanged means that a token gives something else than when the session began.
var ErrChanged = errors.New("the token was given another role")

// Sessions are those of one listener.
type Sessions struct {
	authority *tokens.Authority
	log       *slog.Logger

	mu   sync.Mutex
	open map[*Session]struct{}
}

// New returns the sessions of a listener that asks an authority.
func New(a *tokens.Authority, log *slog.Logger) *Sessions {
	return &Sessions{authority: a, log: log, open: make(map[*Session]struct{})}
}

// Run ends sessions when they have to, until ctx ends. It logs when the store of tokens cannot be used.
func (s *Sessions) Run(ctx context.Context) {
	s.authority.Watch(ctx, func() {
		s.report()
		s.renew()
	})
}

func (s *Sessions) report() {
	if err := s.authority.Err(); err != nil {
		s.log.Error("nobody gets in by a token of the store", "error", err)
	}
}

func (s *Sessions) renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.open {
		n.renew()
	}
}

// Open begins a session with a grant that was checked. Its context is derived from ctx. [Session.Close] must be called.
func (s *Sessions) Open(ctx context.Context, g tokens.Grant) *Session { return s.OpenBy(ctx, g, "") }

// OpenBy is Open for a grant that came by a login, with which the session ends, see [Sessions.End]; empty for none.
func (s *Sessions) OpenBy(ctx context.Context, g tokens.Grant, login string) *Session {
	n := &Session{of: s, grant: g, login: login}
	n.ctx, n.end = context.WithCancelCause(ctx)
	s.mu.Lock()
	s.open[n] = struct{}{}
	s.mu.Unlock()
	n.renew() // the grant may have ended between the check and now
	return n
}

// End ends all sessions of a login.
func (s *Sessions) End(login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.open {
		if n.login == login && login != "" {
			n.end(ended{tokens.ErrSignedOut})
		}
	}
}

// Fixed begins a session with a grant that is none of the authority's: no token ends it.
func (s *Sessions) Fixed(ctx context.Context, g tokens.Grant) *Session {
	n := &Session{of: s, grant: g, fixed: true}
	n.ctx, n.end = context.WithCancelCause(ctx)
	return n
}

// Again begins another session with the grant of one, which may end before.
func (n *Session) Again(ctx context.Context) *Session {
	if n.fixed {
		return n.of.Fixed(ctx, n.grant)
	}
	again := n.of.OpenBy(ctx, n.grant, n.login)
	if n.Ended() != nil { // while it was opened
		again.end(context.Cause(n.ctx))
	}
	return again
}

// Session is one of them.
type Session struct {
	of    *Sessions
	grant tokens.Grant
	login string // that it ends with; empty for none
	fixed bool   // the authority does not know the grant
	ctx   context.Context
	end   context.CancelCauseFunc
}

// Grant is what the token gives. It stays the same as long as the session lasts.
func (n *Session) Grant() tokens.Grant { return n.grant }

// Context ends with the session, and with the context that it was opened with.
func (n *Session) Context() context.Context { return n.ctx }

// Ended returns why the token ended the session: an error of package tokens, or [ErrChanged]; nil if it did not.
func (n *Session) Ended() error {
	var why ended
	if errors.As(context.Cause(n.ctx), &why) {
		return why.error
	}
	return nil
}

// Close ends the session. It may be called more than once.
func (n *Session) Close() {
	n.of.mu.Lock()
	delete(n.of.open, n)
	n.of.mu.Unlock()
	n.end(nil)
}

// ended is the cause of a context that ended with its token.
type ended struct{ error }

func (e ended) Unwrap() error { return e.error }

func (n *Session) renew() {
	now, err := n.of.authority.Renew(n.grant)
	if err == nil && now != n.grant {
		err = ErrChanged
	}
	if err != nil {
		n.end(ended{err})
	}
}
