package launch

import (
	"net"
	"net/url"

	"github.com/waldo-robot/waldo/pkg/access"
)

// Page is where people find the page of the gateway.
type Page struct {
	// URL has the address that this machine has in its network, if the gateway listens there, and the token. It is not for logs.
	URL string
	// Shared tells whether other machines reach it.
	Shared bool
}

// Page returns where the page is going to be; only the URL without the token is for scripts, see Run. The address must be valid.
func (p *Plan) Page() Page {
	address, _, err := access.Address(p.http(), p.token())
	if err != nil {
		return Page{} // the gateway says what is wrong with it
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
