// Package access keeps strangers out: where a process may listen, and who may call.
//
// The rule is the same for every listener of Waldo. Without a token nothing listens where another machine can reach it:
// ":8080" then means loopback, and an address of another interface is refused. With a token the address is taken as it
// stands, and every request must present the token. A token that guards such an address has at least [MinToken]
// characters. What asks nobody for a token, like metrics, stays on [Loopback].
//
// [Guesses] slows down clients that present wrong tokens. Everything here is safe for concurrent use.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// MinToken is the least length of a token that guards an address other machines can reach.
const MinToken = 16

// Address returns where to listen for what the configuration says. If it had to narrow the address to loopback,
// narrowed is true, and the program should say so. It fails if only a token, or a longer one, would make the address
// safe, or if it is not host:port.
func Address(configured, token string) (address string, narrowed bool, err error) {
	host, port, err := split(configured)
	switch {
	case err != nil:
		return "", false, err
	case isLoopback(host) || len(token) >= MinToken:
		return configured, false, nil
	case token != "":
		return "", false, fmt.Errorf("%q can be reached from other machines, and a token of %d characters can be guessed: "+
			"use at least %d (waldo token makes one), or listen on 127.0.0.1", configured, len(token), MinToken)
	case host == "":
		return net.JoinHostPort("127.0.0.1", port), true, nil
	}
	return "", false, fmt.Errorf("%q can be reached from other machines: set a token (waldo token makes one), or "+
		"listen on 127.0.0.1", configured)
}

// Guarded returns where to listen for a server that asks everybody for a token that cannot be guessed: the address as
// it stands. It fails if that is not host:port.
func Guarded(configured string) (address string, err error) {
	_, _, err = split(configured)
	return configured, err
}

// Loopback returns where to listen for a server that asks nobody for a token, whether there is one or not: ":9090"
// means 127.0.0.1:9090, and an address that other machines can reach is an error.
func Loopback(configured string) (address string, err error) {
	host, port, err := split(configured)
	switch {
	case err != nil:
		return "", err
	case host == "":
		return net.JoinHostPort("127.0.0.1", port), nil
	case isLoopback(host):
		return configured, nil
	}
	return "", fmt.Errorf("%q can be reached from other machines, and nobody is asked for a token here: listen on "+
		"127.0.0.1", configured)
}

// split takes host:port apart. The port is a number: names of ports mean different things on different machines.
func split(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil {
		return "", "", fmt.Errorf("%q is not host:port, for example 127.0.0.1:8080", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", fmt.Errorf("%q has no usable port: use a number from 0 (any free one) to 65535", address)
	}
	return host, port, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// CheckToken returns what is wrong with a token, if anything: it must pass through headers unchanged. No token is
// valid.
func CheckToken(token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("has a character that does not pass through headers: use printable ASCII without spaces")
	}
	return nil
}

// Allowed reports whether presented is the token, of which it may be given the [Verifier]. It takes as long for a wrong
// guess as for a right one.
func Allowed(token, presented string) bool {
	a, ok := verifies(token)
	if !ok {
		a = sha256.Sum256([]byte(token))
	}
	b := sha256.Sum256([]byte(presented))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Bearer returns the token of an Authorization header, or "" if it has none.
func Bearer(header string) string {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
