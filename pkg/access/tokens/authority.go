package tokens

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/access"
)

// Authority decides what a token gives: the shared one, or one of the store.
type Authority struct {
	shared string
	store  *Store
	robot  string // of which it is; empty: of any
}

// NewAuthority returns the authority of a robot's listener. Without a shared token, shared is empty; without a store,
// nil.
func NewAuthority(shared string, store *Store) *Authority {
	return &Authority{shared: shared, store: store}
}

// Of returns the same authority for one robot: tokens of the store that are for another robot are unknown there.
func (a *Authority) Of(robot string) *Authority {
	return &Authority{shared: a.shared, store: a.store, robot: robot}
}

// Shared returns the shared token; empty if there is none.
func (a *Authority) Shared() string { return a.shared }

// Guarded reports whether a token is needed. It becomes true with the first token in the store, and then stays so.
func (a *Authority) Guarded() bool {
	return a.shared != "" || a.store != nil && a.store.Used()
}

// Check returns what a token gives; the error is one of those of [Store.Check], or ErrMissing for an empty one. With
// ErrExpired and ErrRevoked comes the grant that it was.
func (a *Authority) Check(token string) (Grant, error) {
	switch {
	case !a.Guarded():
		return anyone, nil
	case token == "":
		return Grant{}, ErrMissing
	case a.shared != "" && access.Allowed(a.shared, token):
		return sharedGrant, nil
	case a.store == nil:
		return Grant{}, ErrUnknown
	}
	g, err := a.store.Check(token)
	if a.robot != "" && !g.For(a.robot) {
		return Grant{}, ErrUnknown
	}
	return g, err
}

var sharedGrant = Grant{Name: SharedName, Role: anyone.Role}

// Renew returns what a grant, which was good before, is now: sessions ask when [Authority.Watch] calls.
func (a *Authority) Renew(g Grant) (Grant, error) {
	switch {
	case g.IsNamed() && a.store != nil:
		g, err := a.store.Renew(g.ID)
		if err == nil && a.robot != "" && !g.For(a.robot) {
			return Grant{}, ErrRevoked
		}
		return g, err
	case g.Name == SharedName && a.shared != "":
		return sharedGrant, nil
	case a.Guarded():
		return Grant{}, ErrMissing
	}
	return anyone, nil
}

// Watch is [Store.Watch]. Without a store nothing changes, and it returns at the end of ctx.
func (a *Authority) Watch(ctx context.Context, f func()) {
	if a.store == nil {
		<-ctx.Done()
		return
	}
	a.store.Watch(ctx, f)
}

// Err returns why the store cannot be used now; nil if it can, or there is none.
func (a *Authority) Err() error {
	if a.store == nil {
		return nil
	}
	return a.store.Err()
}

// Address is [access.Address] for a listener that asks this authority: other machines may reach it if everybody there
// is asked for a token that cannot be guessed.
func (a *Authority) Address(configured string) (address string, narrowed bool, err error) {
	if a.shared == "" && a.Guarded() {
		address, err = access.Guarded(configured)
		return address, false, err
	}
	return access.Address(configured, a.shared)
}

// Reason names an error of [Authority.Check], as metrics and the audit log do.
func Reason(err error) string {
	for _, r := range []struct {
		err  error
		name string
	}{{ErrMissing, "missing"}, {ErrUnknown, "unknown"}, {ErrExpired, "expired"}, {ErrRevoked, "revoked"}} {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return "unreadable"
}

// IsGuess reports whether an error of [Authority.Check] may be the answer to a guess, so that it has to come late, see
// [access.Guesses]. That includes what cannot be told while the store cannot be used: the shared token still counts
// then.
func IsGuess(err error) bool { return errors.Is(err, ErrUnknown) || errors.Is(err, ErrBroken) }

// Try tries the tokens of one request until check accepts one, which is used, and tells whether one that was tried may
// have been guessed. If none is good, the grant and the error are those of the first, or of a guess among them: what
// comes with a guess does not make it less of one. Without any it fails with [ErrMissing].
func Try(check func(token string) (Grant, error), presented []string) (g Grant, used string, guessed bool, err error) {
	err = ErrMissing
	for _, token := range presented {
		was, wrong := check(token)
		guessed = guessed || IsGuess(wrong)
		if wrong == nil {
			return was, token, guessed, nil
		}
		if !errors.Is(err, ErrUnknown) {
			g, err = was, wrong
		}
	}
	return g, "", guessed, err
}

// Status returns the error of a refused token for callers, with codes.Unauthenticated and what to do; codes.Unavailable
// while the store cannot be used, which only the robot's log explains.
func Status(err error) error {
	if errors.Is(err, ErrBroken) {
		return status.Error(codes.Unavailable, "tokens cannot be checked now: the robot's log says why")
	}
	return status.Error(codes.Unauthenticated, err.Error()+": "+remedy(err))
}

func remedy(err error) string {
	switch {
	case errors.Is(err, ErrMissing):
		return "send the metadata authorization: Bearer <token>"
	case errors.Is(err, ErrUnknown):
		return "check that it is complete, and for this robot"
	case errors.Is(err, ErrSignedOut):
		return "open the page with a token again"
	}
	return "ask for a new one, which waldo token create makes"
}
