// Package digest answers the challenges with which cameras ask who we are, over RTSP and HTTP alike: RFC 7616 with
// MD5, SHA-256 and SHA-512-256, sessions (-sess), qop and userhash, and Basic if nothing else is offered.
//
// A [Login] belongs to one camera. It is safe for concurrent use and starts nothing.
package digest

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"sync"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
)

// Login answers the challenges of a camera.
type Login struct {
	user     string
	password address.Secret

	mu        sync.Mutex
	accepted  bool // a request with the challenge was not refused
	challenge *challenge
	count     uint32 // requests with the nonce
}

// New returns a Login that knows no challenge yet.
func New(user string, password address.Secret) *Login { return &Login{user: user, password: password} }

// challenge is one way to log in that a camera offers.
type challenge struct {
	scheme string // lower case
	params map[string]string
}

// algorithm is how a digest is made.
type algorithm struct {
	name string
	rank int // the best is taken
	new  func() hash.Hash
}

var algorithms = []algorithm{
	{"MD5", 1, md5.New},
	{"SHA-256", 2, sha256.New},
	{"SHA-512-256", 3, sha512.New512_256},
}

// algorithm returns that of a challenge, and whether the session has a key of its own (-sess).
func (c challenge) algorithm() (a algorithm, session, ok bool) {
	name := strings.ToUpper(c.params["algorithm"])
	if name == "" {
		return algorithms[0], false, true
	}
	name, session = strings.CutSuffix(name, "-SESS")
	for _, a := range algorithms {
		if a.name == name {
			return a, session, true
		}
	}
	return algorithm{}, false, false
}

// rank orders challenges: 0 cannot be answered. Basic is answered only if no digest is offered: it shows the password.
func (c challenge) rank(digest bool) int {
	if c.scheme == "basic" && !digest {
		return 1
	}
	a, _, ok := c.algorithm()
	if c.scheme != "digest" || !ok || c.params["nonce"] == "" {
		return 0
	}
	return 1 + a.rank
}

// Take chooses among the challenges of a refusal, which are the fields WWW-Authenticate. It returns whether it makes
// sense to ask again: once with the first challenge, and once more when the camera has changed the nonce of one that
// worked.
func (l *Login) Take(values []string) (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	offered := parseChallenges(values)
	digest := false
	for _, c := range offered {
		digest = digest || c.scheme == "digest"
	}
	var best *challenge
	for i := range offered {
		if rank := offered[i].rank(digest); rank > 0 && (best == nil || rank > best.rank(digest)) {
			best = &offered[i]
		}
	}
	old, accepted := l.challenge, l.accepted
	l.challenge, l.accepted, l.count = best, false, 0
	switch {
	case best == nil || l.user == "" && l.password == "":
		return false
	case old == nil:
		return true
	}
	changed := best.params["nonce"] != old.params["nonce"] || best.scheme != old.scheme
	return changed && (accepted || strings.EqualFold(best.params["stale"], "true"))
}

// Authorize returns the value of the field Authorization, "" without a challenge.
func (l *Login) Authorize(method, uri string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.challenge == nil:
		return ""
	case l.challenge.scheme == "basic":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(l.user+":"+string(l.password)))
	}
	return l.digest(method, uri, rand.Text())
}

// Accept notes that the camera did not refuse.
func (l *Login) Accept() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = l.challenge != nil
}

// Answerable tells whether the camera offered a way to log in that is known.
func (l *Login) Answerable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.challenge != nil
}

func (l *Login) digest(method, uri, cnonce string) string {
	c := l.challenge
	a, session, _ := c.algorithm()
	sum := func(parts ...string) string {
		h := a.new()
		_, _ = h.Write([]byte(strings.Join(parts, ":"))) // never fails
		return hex.EncodeToString(h.Sum(nil))
	}
	realm, nonce, qop := c.params["realm"], c.params["nonce"], protection(c.params["qop"])
	secret := sum(l.user, realm, string(l.password))
	if session {
		secret = sum(secret, nonce, cnonce)
	}
	what := sum(method, uri)
	if qop == "auth-int" {
		what = sum(method, uri, sum("")) // our requests have no body
	}
	l.count++
	nc := fmt.Sprintf("%08x", l.count)
	user := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(l.user)
	if strings.EqualFold(c.params["userhash"], "true") {
		user = sum(l.user, realm)
	}
	proof := sum(secret, nonce, what)
	if qop != "" {
		proof = sum(secret, nonce, nc, cnonce, qop, what)
	}
	var b strings.Builder
	write := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format, args...) } // never fails
	write(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`, user, realm, nonce, uri, proof)
	if name := c.params["algorithm"]; name != "" {
		write(`, algorithm=%s`, name)
	}
	if qop != "" {
		write(`, qop=%s, nc=%s`, qop, nc)
	}
	if qop != "" || session {
		write(`, cnonce="%s"`, cnonce)
	}
	if opaque, ok := c.params["opaque"]; ok {
		write(`, opaque="%s"`, opaque)
	}
	if strings.EqualFold(c.params["userhash"], "true") {
		write(`, userhash=true`)
	}
	return b.String()
}

// protection chooses a qop: auth if it is offered, since we have no bodies.
func protection(offered string) (qop string) {
	for one := range strings.SplitSeq(strings.ToLower(offered), ",") {
		switch one = strings.TrimSpace(one); {
		case one == "auth":
			return one
		case one == "auth-int":
			qop = one
		}
	}
	return qop
}

const maxChallenges = 16

// parseChallenges reads the fields WWW-Authenticate, each of which may hold several challenges.
func parseChallenges(values []string) (list []challenge) {
	for _, value := range values {
		for rest := value; rest != "" && len(list) < maxChallenges; {
			var word, text string
			var isParam bool
			word, text, isParam, rest = nextParam(rest)
			// "Digest realm=x" begins a challenge, and its first parameter.
			if scheme, first, ok := strings.Cut(word, " "); ok || !isParam {
				if scheme == "" {
					continue
				}
				list = append(list, challenge{strings.ToLower(scheme), map[string]string{}})
				word = strings.TrimSpace(first)
			}
			if isParam && word != "" && len(list) > 0 {
				list[len(list)-1].params[strings.ToLower(word)] = text
			}
		}
	}
	return list
}

// nextParam reads `word = "text"` or `word` up to the next comma. What is between quotes stays as it is, since the
// camera compares it with what it sent.
func nextParam(s string) (word, text string, isParam bool, rest string) {
	s = strings.TrimLeft(s, " \t,")
	end := strings.IndexAny(s, "=,")
	if end < 0 {
		return strings.TrimSpace(s), "", false, ""
	}
	word = strings.Join(strings.Fields(s[:end]), " ")
	if s[end] == ',' {
		return word, "", false, s[end+1:]
	}
	s = strings.TrimLeft(s[end+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		text, rest, _ = strings.Cut(s, ",")
		return word, strings.TrimSpace(text), true, rest
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return word, s[1:i], true, s[i+1:]
		}
	}
	return word, s[1:], true, ""
}
