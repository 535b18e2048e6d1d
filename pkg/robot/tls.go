package robot

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waldo-robot/waldo/pkg/certs"
)

// TLS is the key `tls:`, which says what certificate the page, gRPC and the bus have: `auto`, `off`, or keys. Auto and
// ACME are certificates that the robot gets by itself (see packages certs and certs/acme), Cert and Key are files. The
// zero value is off.
type TLS struct {
	// Auto is set for a certificate of the robot's own authority: by `tls: auto`, or by names alone.
	Auto bool `yaml:"auto" help:"a certificate of an authority of the robot's own"`
	// Names are further names by which the robot is reached. An own authority permits and issues them; a certificate in
	// files must have them.
	Names []string `yaml:"names" help:"further names by which the robot is reached, for example rover.lan"`
	// Cert and Key are PEM files, the certificate with those of its authorities.
	Cert string `yaml:"cert" path:"any" help:"PEM file of a certificate, with those of its authorities"`
	Key  string `yaml:"key" path:"any" help:"PEM file of its key"`
	// ACME gets a certificate for a public name.
	ACME ACME `yaml:"acme"`

	section *Section // nil without a file
}

// ACME says how the robot gets a certificate from a public authority (RFC 8555).
type ACME struct {
	// Domain is the name that the certificate is for.
	Domain string `yaml:"domain" help:"name that a certificate is got for, by ACME"`
	// Email is where the authority writes to when something is wrong.
	Email string `yaml:"email" help:"address that the authority may write to"`
	// Directory is the address of the authority's API. Default: Let's Encrypt.
	Directory string `yaml:"directory" help:"address of the authority's ACME directory; default Let's Encrypt"`
	// CA is a PEM file with authorities to trust when Directory is called. Default: those of the system.
	CA string `yaml:"ca" path:"any" help:"PEM file with authorities to trust for the directory"`
	// DNS is a program that publishes the proof in DNS; without one the gateway serves it.
	DNS string `yaml:"dns" path:"any" help:"program that publishes the proof in DNS: it is called with set or clear, the name of a TXT record and its value"`
}

// SetWord implements [Worded].
func (t *TLS) SetWord(word string) error {
	switch word {
	case "auto":
		t.Auto = true
	case "off", "false":
		*t = TLS{}
	default:
		return errors.New("use auto or off, or name a certificate: {cert: fullchain.pem, key: privkey.pem}")
	}
	return nil
}

// On reports whether there is TLS at all.
func (t *TLS) On() bool { return t.Auto || t.Cert != "" || t.ACME.Domain != "" }

// Issued tells whether a process of the robot gets and renews the certificate.
func (t *TLS) Issued() bool { return t.Auto || t.ACME.Domain != "" }

// Files returns the files of the certificate and its key; none if TLS is off.
func (t *TLS) Files(environ func(string) string) (certs.Files, error) {
	if !t.Issued() {
		return certs.Files{Cert: t.Cert, Key: t.Key}, nil
	}
	folder, err := certs.Folder(environ)
	if err != nil {
		return certs.Files{}, fmt.Errorf("tls: there is no folder for the robot's certificate: %w", err)
	}
	return certs.Leaf(folder), nil
}

// CheckFiles returns what is wrong with the files that the robot's owner has named: errors for what no client would
// take, and warnings for what is wrong with the time only, which passes, and must not keep a robot from driving.
func (t *TLS) CheckFiles(now time.Time) (warnings []error, err error) {
	if t.Cert == "" {
		return nil, nil
	}
	var errs []error
	for _, one := range joined(certs.Check(t.Cert, t.Key, t.Names, now)) {
		var bad *certs.FileError
		if !errors.As(one, &bad) {
			errs = append(errs, one)
			continue
		}
		located := t.Locate(BadField(bad.Field, "%s", bad.Problem))
		if bad.Time {
			warnings = append(warnings, located)
		} else {
			errs = append(errs, located)
		}
	}
	return warnings, errors.Join(errs...)
}

// joined returns the errors of errors.Join.
func joined(err error) []error {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		return list.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// Name returns the name that the robot's certificate is for, if the file says one; empty for an address.
func (t *TLS) Name() string {
	switch {
	case t.ACME.Domain != "":
		return t.ACME.Domain
	case len(t.Names) > 0:
		return t.Names[0]
	}
	return ""
}

// Equal reports whether two mean the same.
func (t *TLS) Equal(u *TLS) bool {
	a, b := *t, *u
	a.section, b.section = nil, nil
	return reflect.DeepEqual(a, b)
}

// Validate checks what can be checked without reading the files.
func (t *TLS) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, BadField(key, format, args...)) }
	given := 0
	for _, is := range []bool{t.Auto, t.Cert != "" || t.Key != "", t.ACME != ACME{}} {
		if is {
			given++
		}
	}
	if given == 0 && len(t.Names) > 0 {
		t.Auto = true
	}
	switch {
	case given > 1:
		bad("", "the robot has one certificate: keep one of auto, cert with key, and acme")
	case t.Cert != "" && t.Key == "":
		bad("key", "is missing: name the file with the key of the certificate")
	case t.Key != "" && t.Cert == "":
		bad("cert", "is missing: name the file with the certificate of the key")
	case t.ACME != ACME{}:
		t.ACME.check(bad)
	}
	for _, name := range t.Names {
		if !isHostName(name) {
			bad("names", "%q is not the name of a host: use for example rover.lan, in lower case, without scheme and port",
				shorten(name))
		}
	}
	return errors.Join(errs...)
}

func (a *ACME) check(bad func(key, format string, args ...any)) {
	switch {
	case a.Domain == "":
		bad("acme.domain", "is missing: name the public name of the robot, for example rover.example.org")
	case !isHostName(a.Domain) || !strings.Contains(a.Domain, "."):
		bad("acme.domain", "%q is not a public name: use for example rover.example.org", shorten(a.Domain))
	case strings.HasSuffix(a.Domain, ".local"):
		bad("acme.domain", "%q is a name of the local network, for which no public authority issues: use tls: auto",
			shorten(a.Domain))
	}
	if a.Email != "" && !strings.Contains(a.Email, "@") {
		bad("acme.email", "%q is not an address of mail", shorten(a.Email))
	}
	if u, err := url.Parse(a.Directory); a.Directory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		bad("acme.directory", "%q is not an address: use https://host/directory", shorten(a.Directory))
	}
}

// isHostName reports whether a text is a name of DNS in lower case.
func isHostName(text string) bool {
	for label := range strings.SplitSeq(text, ".") {
		if len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return len(text) <= 253
}

// Locate adds to the field errors within err where the value of the field was given.
func (t *TLS) Locate(err error) error {
	if t.section == nil {
		return err
	}
	return t.section.Locate(err)
}

// tls reads the section that is ours.
func (p *parser) tls(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
		if err := p.robot.TLS.SetWord(n.Value); err != nil {
			p.fail(n, "tls", "%s", err)
		}
		return
	}
	s := &Section{file: p.file, path: "tls", node: n}
	if err := s.Decode(&p.robot.TLS); err != nil {
		p.errs = append(p.errs, err)
	} else if !p.robot.TLS.On() && hasKey(n, "acme") {
		p.fail(n, "tls.acme.domain", "is missing: name the public name of the robot, for example rover.example.org")
	} else if !p.robot.TLS.On() && !hasKey(n, "auto") {
		p.fail(n, "tls",
			"says nothing of a certificate: use auto or off, or name one: {cert: fullchain.pem, key: privkey.pem}")
	}
	p.robot.TLS.section = s
}

// hasKey reports whether a mapping has a key.
func hasKey(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}
