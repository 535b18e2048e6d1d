package config

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"os"

	"github.com/waldo-robot/waldo/pkg/access"
)

// Rendezvous is the section `gateway: {rendezvous: …}` of robot.yaml.
type Rendezvous struct {
	// URL is the server's address; empty: the robot uses none.
	URL string `yaml:"url" help:"rendezvous server through which people reach the robot, for example https://example.org"`
	// Token is what the server wants of its robots.
	Token string `yaml:"token" help:"secret that the rendezvous server wants of its robots"`
	// GuestToken lets programs watch and send by WHEP, WHIP and /connect through the server, which can see it.
	GuestToken string `yaml:"guestToken" help:"secret for WHEP, WHIP and /connect through the server; the server sees it"`
	// CA is a file with the certificate of the authority that has signed the server's.
	CA string `yaml:"ca" path:"any" help:"PEM file of the authority of the server's certificate; default: those of the system"`
}

// Roots are the authorities that the server's certificate may be from; nil: those of the system.
func (r *Rendezvous) Roots() (*x509.CertPool, error) {
	if r.CA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(r.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", r.CA)
	}
	return pool, nil
}

// check reports what is wrong.
func (r *Rendezvous) check(token string, bad func(key, format string, args ...any)) {
	for key, secret := range map[string]string{"rendezvous.token": r.Token, "rendezvous.guestToken": r.GuestToken} {
		if err := access.CheckToken(secret); err != nil {
			bad(key, "%v", err)
		}
	}
	if r.URL == "" {
		if r.GuestToken != "" || r.Token != "" || r.CA != "" {
			bad("rendezvous.url", "is missing: set it to the address of a rendezvous server, for example https://example.org")
		}
		return
	}
	r.checkURL(bad)
	if _, err := r.Roots(); err != nil {
		bad("rendezvous.ca", "%v", err)
	}
	switch {
	case len(token) < access.MinToken:
		bad("rendezvous.url", "needs gateway.token, with at least %d characters, for people to show to the robot that they "+
			"may drive it (waldo token makes one)", access.MinToken)
	case r.GuestToken == token:
		bad("rendezvous.guestToken",
			"is the same as gateway.token, which the server must not see: make another (waldo token)")
	case r.GuestToken != "" && len(r.GuestToken) < access.MinToken:
		bad("rendezvous.guestToken", "can be guessed: use at least %d characters (waldo token makes one)", access.MinToken)
	}
}

// checkURL reports an address that is none, or that would send the token in the clear.
func (r *Rendezvous) checkURL(bad func(key, format string, args ...any)) {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		bad("rendezvous.url", "%.100q is not the address of a server: use https://host or https://host:port",
			access.RedactText(r.URL))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		bad("rendezvous.url", "has more than an address: use scheme, host and port, and put the server's secret into "+
			"rendezvous.token")
	case u.Scheme == "http" && !access.IsLoopbackName(u.Hostname()):
		bad("rendezvous.url", "http is for a server on this machine only: use https")
	}
}
