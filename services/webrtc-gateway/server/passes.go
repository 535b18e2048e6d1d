package server

import (
	"net/http"
	"time"

	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

const (
	// passParameter holds a pass in an address.
	passParameter = "pass"
	// passLife is how long a pass is good: a day's work.
	passLife = 12 * time.Hour
)

// issuePass returns a pass for a purpose: what a program shows in an address, on behalf of somebody who has shown a
// token or, where none is needed, has opened the page. It cannot be forged and is good for nothing else.
func (l *Logins) issuePass(g tokens.Grant, of login, purpose string, now time.Time) string {
	return l.passes(!g.IsNamed() && l.isShared, purpose).issueUntil(of, g.ID, now.Add(passLife))
}

// findPass returns whose pass it is, as far as it tells; that grant has to be renewed by an authority.
func (l *Logins) findPass(value, purpose string, now time.Time) (g tokens.Grant, of login, ok bool) {
	if l.isShared {
		if id, of, left := l.passes(true, purpose).find(value, now); left > 0 && id == "" {
			return tokens.Grant{Name: tokens.SharedName}, of, !l.isEnded(of)
		}
	}
	id, of, left := l.passes(false, purpose).find(value, now)
	return tokens.Grant{ID: id}, of, left > 0 && !l.isEnded(of)
}

func (l *Logins) passes(shared bool, purpose string) sessions {
	if shared {
		return l.shared.forPurpose(purpose)
	}
	return l.named.forPurpose(purpose)
}

// passed returns what the pass in the address of a request gives. The error is one of the authority: ErrMissing without
// a pass that is good here.
func (g *guard) passed(r *http.Request) shown {
	missing := shown{err: tokens.ErrMissing}
	value := r.URL.Query().Get(passParameter)
	if value == "" {
		return missing
	}
	to := g.route(r)
	if to.pass == "" {
		return missing
	}
	grant, of, ok := g.logins.findPass(value, to.pass, time.Now())
	if !ok {
		return missing
	}
	now, err := g.authority.Renew(grant)
	return shown{grant: now, err: err, login: of}
}

// passFor returns a pass for the visitor who makes a request. It ends with the login of their browser, if they have
// one.
func (g *guard) passFor(r *http.Request, purpose string) string {
	grant, now, of := visitorOf(r).Grant(), time.Now(), login("")
	for _, value := range cookies(r) {
		if found, l, left := g.logins.find(value, now); left > 0 && found.ID == grant.ID {
			of = l
		}
	}
	if of == "" {
		of = newLogin()
	}
	return g.logins.issuePass(grant, of, purpose, now)
}
