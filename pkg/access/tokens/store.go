package tokens

import (
	"context"
	"crypto/subtle"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/state"
)

// Why a token is refused.
var (
	// ErrMissing means that none was presented, and one is needed.
	ErrMissing = errors.New("a token is needed")
	// ErrUnknown means that a token is none of this robot: forged, truncated, or of another one.
	ErrUnknown = errors.New("the token is not known here")
	// ErrExpired means that a token's time is over.
	ErrExpired = errors.New("the token has expired")
	// ErrRevoked means that a token was revoked.
	ErrRevoked = errors.New("the token was revoked")
	// ErrSignedOut means that the owner of a token has ended the login that was opened with it.
	ErrSignedOut = errors.New("signed out")
	// ErrBroken means that the store cannot be used; nobody gets in by it.
	ErrBroken = errors.New("the file of tokens cannot be used")
)

// lookEvery is how often [Store.Watch] looks for changes.
const lookEvery = 250 * time.Millisecond

// Path is the file where a machine keeps the tokens of its robots: WALDO_ACCESS_FILE, or else access.json in the folder
// of its state, see [state.Folder].
func Path(environ func(string) string) (string, error) {
	if path := environ("WALDO_ACCESS_FILE"); path != "" {
		return path, nil
	}
	folder, err := state.Folder("", environ)
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, "access.json"), nil
}

// Store is a file of tokens.
type Store struct {
	path string

	mu     sync.Mutex
	seen   stamp // of the file when it was read
	loaded bool
	tokens map[string]Token
	err    error
	// used is set for good when the file has once been there with tokens, or unusable.
	used bool
}

// stamp tells whether a file is another one than before. The zero value is of no file.
type stamp struct {
	inode, size             int64
	modified, statusChanged int64
}

// Open returns the store in a file, which is read when it has changed. A missing one is empty.
func Open(path string) *Store { return &Store{path: path} }

// Path returns the file.
func (s *Store) Path() string { return s.path }

// Check returns what a token gives; the error is one of ErrUnknown, ErrExpired, ErrRevoked and ErrBroken.
func (s *Store) Check(token string) (Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	if s.err != nil {
		return Grant{}, s.err
	}
	id, secret, ok := parse(token)
	if !ok {
		return Grant{}, ErrUnknown
	}
	t, known := s.tokens[id]
	// An unknown id costs the same comparison, so that ids cannot be told apart by time.
	if subtle.ConstantTimeCompare([]byte(digest(secret)), []byte(t.SHA256)) != 1 || !known {
		return Grant{}, ErrUnknown
	}
	if err := t.Ended(time.Now()); err != nil {
		return t.grant(), err
	}
	return t.grant(), nil
}

// Renew returns what a token with an id gives now, for sessions that have checked it before.
func (s *Store) Renew(id string) (Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	if s.err != nil {
		return Grant{}, s.err
	}
	t, known := s.tokens[id]
	if !known {
		return Grant{}, ErrRevoked
	}
	return t.grant(), t.Ended(time.Now())
}

// Used reports whether the store has, or has had since it was opened, any tokens, good or not, or cannot be read: then
// it asks everybody for one.
func (s *Store) Used() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return s.used
}

// Err returns why the store cannot be used now; nil if it can.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return s.err
}

// Watch calls f whenever grants may have changed, within a quarter of a second: the file did, or a token has expired.
// It calls f at the beginning too, for what changed before. It returns when ctx ends.
func (s *Store) Watch(ctx context.Context, f func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last, lastTime := s.look(), time.Now()
	f()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, nowTime := s.look(), time.Now()
		if now != last || s.expiredBetween(lastTime, nowTime) {
			f()
		}
		last, lastTime = now, nowTime
	}
}

func (s *Store) look() stamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return s.seen
}

// expiredBetween reports whether a token has expired since a time.
func (s *Store) expiredBetween(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.Ended(from) == nil && t.Ended(to) != nil {
			return true
		}
	}
	return false
}

// refresh reads the file if it is not the one that was read; s.mu is held.
func (s *Store) refresh() {
	now, err := stampOf(s.path)
	if err == nil && s.loaded && now == s.seen {
		return
	}
	s.seen, s.loaded = now, err == nil
	s.tokens, s.err = nil, nil
	if err != nil {
		s.err, s.used = broken(s.path, err), true
		return
	}
	c, err := read(s.path)
	if err != nil {
		s.err, s.used = err, true
		return
	}
	s.tokens = make(map[string]Token, len(c.Tokens))
	for _, t := range c.Tokens {
		s.tokens[t.ID] = t
	}
	s.used = s.used || len(c.Tokens) > 0
}

// stampOf returns the zero value for a missing file.
func stampOf(path string) (stamp, error) {
	about, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	found := stamp{size: about.Size(), modified: about.ModTime().UnixNano()}
	if sys, ok := about.Sys().(*syscall.Stat_t); ok {
		found.inode, found.statusChanged = int64(sys.Ino), sys.Ctim.Nano()
	}
	return found, nil
}
