package server

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

const (
	// sessionLife is how long a session lasts after the last visit.
	sessionLife = 7 * 24 * time.Hour
	// A value consists of the time it ends, of random bytes, and of a code of both under the key.
	sessionTime, sessionRandom = 8, 16
	// Deriving the key from the token takes so long that a token of usual length cannot be found from a cookie.
	sessionRounds = 20_000
)

// sessions makes and checks the values that browsers keep instead of the token. They cannot be forged without the key.
// They are not stored: a restarted gateway accepts them until they expire, and one with another token does not.
type sessions struct {
	key []byte
}

// newSessions returns the sessions for a robot and a token.
func newSessions(robot, token string) (sessions, error) {
	key, err := pbkdf2.Key(sha256.New, token, []byte("waldo session of "+robot), sessionRounds, sha256.Size)
	return sessions{key}, err
}

// login names one of those values, and all that replace it.
type login string

// newLogin returns another one.
func newLogin() login {
	random := make([]byte, sessionRandom)
	_, _ = rand.Read(random) // never fails, see crypto/rand
	return login(random)
}

// issue returns a value of a login, valid until sessionLife after now, for somebody with an id, which the value has;
// empty for the owner of the shared token.
func (s sessions) issue(l login, id string, now time.Time) string {
	return s.issueUntil(l, id, now.Add(sessionLife))
}

func (s sessions) issueUntil(l login, id string, end time.Time) string {
	value := make([]byte, sessionTime, sessionTime+sessionRandom+len(id)+sha256.Size)
	binary.BigEndian.PutUint64(value, uint64(end.Unix()))
	value = append(append(value, l...), id...)
	return base64.RawURLEncoding.EncodeToString(append(value, s.sign(value)...))
}

// find returns whose value it is, of which login, and for how long it is still valid; 0 if it is not.
func (s sessions) find(value string, now time.Time) (id string, l login, left time.Duration) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(data) < sessionTime+sessionRandom+sha256.Size {
		return "", "", 0
	}
	signed, code := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if !s.signed(signed, code) {
		return "", "", 0
	}
	left = max(0, time.Unix(int64(binary.BigEndian.Uint64(signed)), 0).Sub(now))
	return string(signed[sessionTime+sessionRandom:]), login(signed[sessionTime : sessionTime+sessionRandom]), left
}

// forPurpose returns others, whose values are good for something else only.
func (s sessions) forPurpose(purpose string) sessions {
	return sessions{s.sign([]byte("waldo purpose " + purpose))}
}

func (s sessions) signed(data, code []byte) bool { return hmac.Equal(code, s.sign(data)) }

func (s sessions) sign(data []byte) []byte {
	code := hmac.New(sha256.New, s.key)
	code.Write(data)
	return code.Sum(nil)
}
