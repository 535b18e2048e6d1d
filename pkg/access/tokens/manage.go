package tokens

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waldo-robot/waldo/pkg/access/roles"
)

// Request describes a token to make.
type Request struct {
	// Name is of the person or program that it is for: 1 to 64 bytes, printable, and unique among the tokens that are
	// good.
	Name string
	Role roles.Role
	// Robot limits the token to one robot, where a store serves several; empty: all.
	Robot string
	// Device is what the token of a service is for; empty for the other roles.
	Device string
	// Expires is when the token ends; zero: never.
	Expires time.Time
}

// Create adds a token to a file, which it makes if there is none, and returns it. Nothing else knows its secret.
func Create(path string, r Request) (token string, made Token, err error) {
	id, secret := newToken()
	now := time.Now().UTC().Truncate(time.Second)
	made = Token{ID: id, Name: r.Name, Role: r.Role.String(), Robot: r.Robot, Device: r.Device, SHA256: digest(secret),
		Created: now, Expires: r.Expires.UTC().Truncate(time.Second)}
	if r.Expires.IsZero() {
		made.Expires = time.Time{}
	} else if !r.Expires.After(now) {
		return "", Token{}, errors.New("expires: is not in the future")
	}
	if err := made.check(); err != nil {
		return "", Token{}, err
	}
	err = change(path, func(c *content) error {
		c.Tokens = slices.DeleteFunc(c.Tokens, func(t Token) bool { return now.After(lastGood(t).Add(keepEnded)) })
		if len(c.Tokens) >= maxTokens {
			return fmt.Errorf("there are %d tokens: revoke some; ended ones are forgotten after %v days", maxTokens,
				keepEnded.Hours()/24)
		}
		if slices.ContainsFunc(c.Tokens, func(t Token) bool { return t.Name == r.Name && t.Ended(now) == nil }) {
			return fmt.Errorf("name: there is a token for %q: revoke that one, or use another name", r.Name)
		}
		c.Tokens = append(c.Tokens, made)
		return nil
	})
	return format(id, secret), made, err
}

// lastGood is when a token ended, or will; far in the future if it does not end.
func lastGood(t Token) time.Time {
	switch {
	case !t.Revoked.IsZero():
		return t.Revoked
	case !t.Expires.IsZero():
		return t.Expires
	}
	return time.Unix(1<<40, 0)
}

// List returns all tokens of a file, also those that have ended.
func List(path string) ([]Token, error) {
	c, err := read(path)
	return c.Tokens, err
}

// Revoke ends the token with an id or name, and returns it. What is open with it ends within a second.
func Revoke(path, idOrName string) (revoked Token, err error) {
	err = change(path, func(c *content) error {
		now := time.Now().UTC().Truncate(time.Second)
		for _, matches := range []func(Token) bool{
			func(t Token) bool { return t.ID == idOrName },
			func(t Token) bool { return t.Name == idOrName && t.Ended(now) == nil },
		} {
			i := slices.IndexFunc(c.Tokens, matches)
			if i < 0 {
				continue
			}
			if c.Tokens[i].Revoked.IsZero() {
				c.Tokens[i].Revoked = now
			}
			revoked = c.Tokens[i]
			return nil
		}
		if slices.ContainsFunc(c.Tokens, func(t Token) bool { return t.Name == idOrName && !t.Revoked.IsZero() }) {
			return fmt.Errorf("the token of %.80q is revoked already: waldo token list shows when", idOrName)
		}
		return fmt.Errorf("%s has no token with the id or name %.80q: waldo token list shows those it has; "+
			"--access-file names another file", path, idOrName)
	})
	return revoked, err
}
