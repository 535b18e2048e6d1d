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
	address, _, err := access.Address(p.http(), p.token())
	if err != nil {
		return Page{} // the gateway reports what is wrong with it
	}
	address = access.Reachable(address)
	page := url.URL{Scheme: "http", Host: address, Path: "/"}
	if token := p.token(); token != "" {
		page.RawQuery = url.Values{"token": {token}}.Encode()
	}
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return Page{URL: page.String(), Shared: host != "localhost" && (ip == nil || !ip.IsLoopback())}
}
