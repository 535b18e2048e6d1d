// Package access keeps strangers out: where a process may listen, and who may call.
//
// The rule is the same for every listener of Waldo. Without a token nothing listens where another machine can reach it:
// ":8080" then means loopback, and an address of another interface is refused. With a token the address is taken as it
// stands, and every request must present the token.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"strings"
)

// Address returns where to listen for what the configuration says. If it had to narrow the address to loopback, narrowed is
// true, and the program should say so. It fails if only a token would make the address safe, or if it is not host:port.
func Address(configured, token string) (address string, narrowed bool, err error) {
	host, port, err := net.SplitHostPort(configured)
	if err != nil {
		return "", false, fmt.Errorf("%q is not host:port, for example 127.0.0.1:8080: %w", configured, err)
	}
	if token != "" || isLoopback(host) {
		return configured, false, nil
	}
	if host == "" {
		return net.JoinHostPort("127.0.0.1", port), true, nil
	}
	return "", false, fmt.Errorf("%q can be reached from other machines: set a token, or listen on 127.0.0.1", configured)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Allowed tells whether presented is the token. It takes as long for a wrong guess as for a right one.
func Allowed(token, presented string) bool {
	a, b := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(presented))
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
