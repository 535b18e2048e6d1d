package access

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// HostName returns the name in a Host header, host or host:port.
func HostName(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.Trim(host, "[]"), ".")
}

// IsLoopbackName reports whether a host name means this machine and nothing else.
func IsLoopbackName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// LoopbackOnly answers only requests for this machine by one of its own names. A foreign page can point its name at
// 127.0.0.1 and so have a browser ask what listens on [Loopback], but it cannot make the browser send another name than
// that.
func LoopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := HostName(r.Host); !IsLoopbackName(host) {
			http.Error(w, fmt.Sprintf("nothing is served here under the name %.100q: use localhost or 127.0.0.1", host),
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
