package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/state"
)

// Logins recognize browsers that have shown their token once, by a cookie. Several servers of a process may share them.
//
// The cookie of a token of the store names the token, and holds a code that only this machine can make: it is good for
// as long as the token is, wherever that is looked up. The cookie of the shared token is derived from that token.
// Neither is stored, so a gateway that restarts knows its visitors. They are safe for concurrent use.
type Logins struct {
	shared   sessions // of the shared token
	isShared bool
	named    sessions
}

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

// issue returns a new cookie for somebody who has shown a token.
func (l *Logins) issue(g tokens.Grant, now time.Time) string {
	if g.IsNamed() {
		return l.named.issueFor(g.ID, now)
	}
	return l.shared.issue(now)
}

// find returns whose cookie a value is, as far as it tells: id or name. That grant has to be renewed by an authority.
// left is how long the cookie is good; 0 if it is not.
func (l *Logins) find(value string, now time.Time) (g tokens.Grant, left time.Duration) {
	if l.isShared {
		if left := l.shared.left(value, now); left > 0 {
			return tokens.Grant{Name: tokens.SharedName}, left
		}
	}
	id, left := l.named.leftFor(value, now)
	return tokens.Grant{ID: id}, left
}
