package sessions_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/sessions"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a robot with a token.
type rig struct {
	path, token, id string
	authority       *tokens.Authority
	sessions        *sessions.Sessions
}

func newRig(t *testing.T, expires time.Time) *rig {
	t.Helper()
	r := &rig{path: filepath.Join(t.TempDir(), "access.json")}
	token, made, err := tokens.Create(r.path, tokens.Request{Name: "anna", Role: roles.Driver, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	r.token, r.id = token, made.ID
	r.authority = tokens.NewAuthority("sixteen-or-more!", tokens.Open(r.path))
	r.sessions = sessions.New(r.authority, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.sessions.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

func (r *rig) open(t *testing.T, token string) *sessions.Session {
	t.Helper()
	g, err := r.authority.Check(token)
	if err != nil {
		t.Fatal(err)
	}
	n := r.sessions.Open(context.Background(), g)
	t.Cleanup(n.Close)
	return n
}

// TestEnds: whatever ends a token ends its session, tells why, and leaves others alone.
func TestEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		life   time.Duration // of the token; 0: it has no end
		change func(r *rig) error
		want   error
	}{
		"revoked": {change: func(r *rig) error { _, err := tokens.Revoke(r.path, "anna"); return err },
			want: tokens.ErrRevoked},
		"expired": {life: 3 * time.Second, change: func(*rig) error { return nil },
			want: tokens.ErrExpired},
		"forgotten": {change: func(r *rig) error { return replace(r, `{"version":1}`) },
			want: tokens.ErrRevoked},
		"broken": {change: func(r *rig) error { return replace(r, "{") }, want: tokens.ErrBroken},
		"changed": {change: func(r *rig) error {
			text, err := os.ReadFile(r.path)
			if err != nil {
				return err
			}
			return replace(r, strings.Replace(string(text), "driver", "viewer", 1))
		}, want: sessions.ErrChanged},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var expires time.Time
				if tt.life > 0 {
					expires = time.Now().Add(tt.life)
				}
				r := newRig(t, expires)
				anna, shared := r.open(t, r.token), r.open(t, "sixteen-or-more!")
				if err := tt.change(r); err != nil {
					t.Fatal(err)
				}
				select {
				case <-anna.Context().Done():
				case <-time.After(time.Minute):
					t.Fatal("the session goes on")
				}
				if err := anna.Ended(); !errors.Is(err, tt.want) {
					t.Errorf("ended because %v, want %v", err, tt.want)
				}
				if shared.Context().Err() != nil {
					t.Errorf("the session of the shared token ended: %v", shared.Ended())
				}
			})
		})
	}
}

// replace gives the file other content at once.
func replace(r *rig, text string) error { return state.Replace(r.path, []byte(text), 0o600) }

// TestBeforeRun: what changes before Run begins ends sessions all the same.
func TestBeforeRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	token, _, err := tokens.Create(path, tokens.Request{Name: "anna", Role: roles.Driver})
	if err != nil {
		t.Fatal(err)
	}
	authority := tokens.NewAuthority("", tokens.Open(path))
	all := sessions.New(authority, slog.New(slog.DiscardHandler))
	g, err := authority.Check(token)
	if err != nil {
		t.Fatal(err)
	}
	n := all.Open(t.Context(), g)
	defer n.Close()
	if _, err := tokens.Revoke(path, "anna"); err != nil {
		t.Fatal(err)
	}
	_ = authority.Err() // the change has been read
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); all.Run(ctx) }()
	defer func() { cancel(); <-done }()
	select {
	case <-n.Context().Done():
	case <-time.After(time.Minute):
		t.Fatal("the session goes on")
	}
}

// TestBetween: a token that ends between its check and the session begins none.
func TestBetween(t *testing.T) {
	r := newRig(t, time.Time{})
	g, err := r.authority.Check(r.token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Revoke(r.path, r.id); err != nil {
		t.Fatal(err)
	}
	n := r.sessions.Open(context.Background(), g)
	defer n.Close()
	if n.Context().Err() == nil || !errors.Is(n.Ended(), tokens.ErrRevoked) {
		t.Errorf("it lasts; ended %v", n.Ended())
	}
}

func TestClose(t *testing.T) {
	r := newRig(t, time.Time{})
	n := r.open(t, r.token)
	n.Close()
	if n.Context().Err() == nil || n.Ended() != nil {
		t.Errorf("closed: %v, %v", n.Context().Err(), n.Ended())
	}
	ctx, cancel := context.WithCancel(context.Background())
	n = r.sessions.Open(ctx, n.Grant())
	defer n.Close()
	if cancel(); n.Context().Err() == nil || n.Ended() != nil {
		t.Errorf("the caller's context ended: %v, %v", n.Context().Err(), n.Ended())
	}
}
