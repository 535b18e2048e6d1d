package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/state"
)

// Logins recognize browsers that have shown their token once, by a cookie. Several servers of a process may share them.
//
// The cookie of a token of the store names the token, and holds a code that only this machine can make: it is good for
// as long as the token is, wherever that is looked up. The cookie of the shared token is derived from that token.
// Neither is stored, so a gateway that restarts knows its visitors. Who signs out ends their login, and all that is
// open by it; that is remembered as long as the process lives. They are safe for concurrent use.
type Logins struct {
	shared   sessions // of the shared token
	isShared bool
	named    sessions

	mu        sync.Mutex
	ended     map[login]time.Time // until when their cookies would be good
	followers map[*func(login)]struct{}
}

// maxEnded bounds the logins that are remembered as ended; then those are forgotten whose cookies end first.
const maxEnded = 4096

// NewLogins returns the logins of a robot, or of a fleet, with a name and a shared token, which may be empty. The key
// makes the codes of the others; without one it is random, so their cookies last as long as the process.
func NewLogins(name, token string, key []byte) (*Logins, error) {
	l := &Logins{isShared: token != "", named: sessions{key}}
	if len(key) < sha256.Size {
		l.named.key = make([]byte, sha256.Size)
		_, _ = rand.Read(l.named.key) // never fails, see crypto/rand
	}
	var err error
	if l.isShared {
		l.shared, err = newSessions(name, token)
	}
	return l, err
}

// LoadKey reads the key of logins from a file, which it makes if there is none.
func LoadKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		key, err := base64.StdEncoding.DecodeString(string(text))
		if err != nil || len(key) != sha256.Size {
			return nil, errors.New(path + " is not a key of logins: remove it, and browsers have to sign in again")
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	if err := state.MakeFolder(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	return key, state.Replace(path, []byte(base64.StdEncoding.EncodeToString(key)), 0o600)
}

// issue returns a cookie of a login for somebody who has shown a token.
func (l *Logins) issue(g tokens.Grant, of login, now time.Time) string {
	if g.IsNamed() {
		return l.named.issue(of, g.ID, now)
	}
	return l.shared.issue(of, "", now)
}

// find returns whose cookie a value is, as far as it tells: id or name. That grant has to be renewed by an authority.
// left is how long the cookie is good; 0 if it is not.
func (l *Logins) find(value string, now time.Time) (g tokens.Grant, of login, left time.Duration) {
	g, of, left = l.read(value, now)
	if left > 0 && l.isEnded(of) {
		return tokens.Grant{}, "", 0
	}
	return g, of, left
}

func (l *Logins) read(value string, now time.Time) (g tokens.Grant, of login, left time.Duration) {
	if l.isShared {
		if id, of, left := l.shared.find(value, now); left > 0 && id == "" {
			return tokens.Grant{Name: tokens.SharedName}, of, left
		}
	}
	id, of, left := l.named.find(value, now)
	return tokens.Grant{ID: id}, of, left
}

// end ends the login of a cookie, and tells those who follow.
func (l *Logins) end(value string, now time.Time) {
	_, of, left := l.read(value, now)
	if left <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended == nil {
		l.ended = map[login]time.Time{}
	}
	if l.ended[of] = now.Add(sessionLife); len(l.ended) > maxEnded { // a newer cookie of it may be good as long
		first := of
		for other, until := range l.ended {
			if until.Before(l.ended[first]) {
				first = other
			}
		}
		delete(l.ended, first)
	}
	for f := range l.followers {
		(*f)(of)
	}
}

func (l *Logins) isEnded(of login) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ended := l.ended[of]
	return ended
}

// follow has f called with each login that ends, until stop is called.
func (l *Logins) follow(f func(login)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followers == nil {
		l.followers = map[*func(login)]struct{}{}
	}
	l.followers[&f] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.followers, &f)
	}
}
