package fakecam

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// guard decides who may watch over one connection.
type guard struct {
	login   Login
	nonce   string
	expired []string // methods that have had their late request
}

func newGuard(l Login) *guard { return &guard{login: l, nonce: rand.Text()} }

// verdict on a request.
type verdict int

const (
	welcome verdict = iota
	unknown         // no credentials, or with an old nonce
	stale           // the nonce has just expired
	wrong
	tooLate // the camera has ended
)

// check judges the credentials of a request.
func (g *guard) check(method, authorization string, agent bool) verdict {
	switch {
	case g.login.User == "":
		return welcome
	case g.login.UserAgent && !agent, authorization == "":
		return unknown
	case slices.Contains(g.login.Expire, method) && !slices.Contains(g.expired, method):
		g.expired = append(g.expired, method)
		g.nonce = rand.Text()
		return stale
	}
	scheme, rest, _ := strings.Cut(authorization, " ")
	if !g.offers(scheme) {
		return wrong
	}
	if strings.EqualFold(scheme, "basic") {
		return g.basic(rest)
	}
	return g.digest(method, parameters(rest))
}

// offers says whether a challenge has this scheme.
func (g *guard) offers(scheme string) bool {
	return slices.ContainsFunc(g.login.Challenges, func(c string) bool {
		s, _, _ := strings.Cut(c, " ")
		return strings.EqualFold(s, scheme)
	})
}

func (g *guard) basic(encoded string) verdict {
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || string(plain) != g.login.User+":"+g.login.Password {
		return wrong
	}
	return welcome
}

// digest checks a response of RFC 7616, or of RFC 2069 if there is no qop.
func (g *guard) digest(method string, p map[string]string) verdict {
	if p["nonce"] != g.nonce {
		return unknown
	}
	sum, session, ok := g.algorithm(p["algorithm"])
	if !ok || p["username"] != g.login.User {
		return wrong
	}
	a1 := sum(g.login.User + ":" + p["realm"] + ":" + g.login.Password)
	if session {
		a1 = sum(a1 + ":" + g.nonce + ":" + p["cnonce"])
	}
	middle := g.nonce
	if p["qop"] != "" {
		middle += ":" + p["nc"] + ":" + p["cnonce"] + ":" + p["qop"]
	}
	expected := sum(a1 + ":" + middle + ":" + sum(method+":"+p["uri"]))
	if subtle.ConstantTimeCompare([]byte(expected), []byte(p["response"])) != 1 {
		return wrong
	}
	return welcome
}

// algorithm returns the hash of an algorithm, and whether it is a -sess; false if no challenge offers it.
func (g *guard) algorithm(name string) (sum func(string) string, session, ok bool) {
	if name == "" {
		name = "MD5"
	}
	offered := slices.ContainsFunc(g.login.Challenges, func(c string) bool {
		scheme, rest, _ := strings.Cut(c, " ")
		a := parameters(rest)["algorithm"]
		if a == "" {
			a = "MD5"
		}
		return strings.EqualFold(scheme, "digest") && strings.EqualFold(a, name)
	})
	base, session := strings.CutSuffix(strings.ToUpper(name), "-SESS")
	if base == "SHA-256" {
		return func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }, session, offered
	}
	return func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }, session,
		offered && base == "MD5"
}

// challenges returns the values of WWW-Authenticate.
func (g *guard) challenges(v verdict) []string {
	var out []string
	for _, c := range g.login.Challenges {
		c = strings.ReplaceAll(c, "%n", g.nonce)
		if v == stale && g.login.Stale {
			c += ", stale=TRUE"
		}
		out = append(out, c)
	}
	return out
}

// parameters reads name=value and name="value" pairs, separated by commas.
func parameters(s string) map[string]string {
	p := map[string]string{}
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeft(s, ", \t") {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return p
		}
		var value string
		if quoted, isQuoted := strings.CutPrefix(rest, `"`); isQuoted {
			value, s, _ = strings.Cut(quoted, `"`)
		} else {
			value, s, _ = strings.Cut(rest, ",")
		}
		p[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return p
}
