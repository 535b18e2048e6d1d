package launch

import (
	"net"
	"net/url"

	"github.com/waldo-robot/waldo/pkg/access"
)

// Page is where people find the gateway's page.
type Page struct {
	// URL contains this machine's address in its network, if the gateway listens there, and the token.
	// It must not be logged.
	URL string
	// Shared tells whether other machines can reach it.
	Shared bool
}

// Page returns where the page will be served. Scripts get the URL without the token instead, see Run.
// The address must be valid.
func (p *Plan) Page() Page {
	address, _, err := p.authority().Address(p.http())
	if err != nil {
		return Page{} // the gateway reports what is wrong with it
	}
	address = access.Reachable(address)
	host, port, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	shared := host != "localhost" && (ip == nil || !ip.IsLoopback())
	page := url.URL{Scheme: "http", Host: address, Path: "/"}
	if shared && p.robot.TLS.On() {
		page.Scheme = "https"
		if name := p.robot.TLS.Name(); name != "" {
			page.Host = net.JoinHostPort(name, port)
		}
	}
	if token := p.token(); token != "" {
		page.RawQuery = url.Values{"token": {token}}.Encode()
	}
	return Page{URL: page.String(), Shared: shared}
}
