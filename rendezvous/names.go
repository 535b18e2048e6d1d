package rendezvous

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

// defaultUDP is where STUN and TURN are found by default, RFC 8656.
const defaultUDP = ":3478"

// CheckName reports what is wrong with a name of a server.
func CheckName(name string) error {
	u, err := url.Parse("https://" + name)
	if err != nil || u.Host != name || u.Hostname() == "" {
		return fmt.Errorf("%.100q is not the name of a server: use host or host:port, without a scheme", name)
	}
	return nil
}

// scheme is that of the addresses that robots dial: a server with no TLS and a name has it from a proxy.
func (c *Config) scheme() string {
	if c.Certificate == "" && len(c.Names) == 0 {
		return "http"
	}
	return "https"
}

// hosts are the server's names as robots sign them.
func (c *Config) hosts() []string {
	hosts := make([]string, len(c.Names))
	for i, name := range c.Names {
		hosts[i] = tunnel.Host(&url.URL{Scheme: c.scheme(), Host: name})
	}
	return hosts
}

// URL is where people and robots find the server.
func (r *Rendezvous) URL() string {
	host := r.Address()
	if len(r.config.Names) > 0 {
		host = r.config.hosts()[0]
	}
	return r.config.scheme() + "://" + host + "/"
}

// iceURLs are where peers find STUN and TURN: by UDP at a port of its own, by TCP and TLS at the port of HTTP, unless a
// proxy has that.
func (c *Config) iceURLs(listening net.Addr) []string {
	name := listening.String()
	if len(c.Names) > 0 {
		name = c.Names[0]
	}
	u := url.URL{Scheme: c.scheme(), Host: name}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	_, udp, _ := net.SplitHostPort(cmp.Or(c.UDP, defaultUDP)) // the relay checks it
	at := func(scheme, port, transport string) string {
		return scheme + ":" + host + ":" + port + transport
	}
	list := []string{at("stun", udp, ""), at("turn", udp, "?transport=udp")}
	tcp := cmp.Or(u.Port(), "443")
	switch {
	case c.Certificate != "":
		list = append(list, at("turn", tcp, "?transport=tcp"), at("turns", tcp, "?transport=tcp"))
	case len(c.Names) == 0:
		list = append(list, at("turn", tcp, "?transport=tcp"))
	}
	return list
}
