package peer

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// address says where a robot is, and how it is recognized.
type address struct {
	base *url.URL // ends in a slash; without credentials
	// shared: robots have such addresses at a rendezvous server, which is not trusted, and at the gateway of a fleet. It
	// is a rendezvous server if the robot's key is known.
	shared bool
	key    string // fingerprint of the robot's key, from a link; empty: what was known before counts
	token  string
}

var (
	sharedPath     = regexp.MustCompile(`(^|/)r/[a-z0-9-]{1,63}/$`)
	keyFingerprint = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)

// parseAddress reads the address of a gateway, or a link to a robot as `waldo link` prints it. Options take precedence
// over what the address contains.
func parseAddress(text string, o Options) (address, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return address{}, errors.New("url: it is not a URL: use http://host:port/, as `waldo up` prints it")
	case u.Scheme != "http" && u.Scheme != "https":
		return address{}, fmt.Errorf("url: the scheme is %.20q: use http or https", u.Scheme)
	case u.Host == "":
		return address{}, errors.New("url: there is no host: use http://host:port/")
	case u.User != nil:
		return address{}, errors.New("url: take out the name and password, and set Options.Token")
	}
	fragment, err := url.ParseQuery(u.Fragment)
	if err != nil {
		return address{}, errors.New("url: what follows # is not key=…&token=…")
	}
	a := address{
		key:   cmp.Or(o.Key, fragment.Get("key")),
		token: cmp.Or(o.Token, fragment.Get("token"), u.Query().Get("token")),
	}
	a.base = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/") + "/"}
	a.shared = a.key != "" || sharedPath.MatchString(a.base.Path)
	if a.key != "" && !keyFingerprint.MatchString(a.key) {
		return address{}, errors.New("key: this is not the fingerprint of a robot's key: that has 43 characters, " +
			"and is in the link that `waldo link` prints")
	}
	return a, nil
}

// signal is the address of the signalling.
func (a address) signal() string { return a.base.JoinPath("signal").String() }
