package main

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/served"
	"github.com/waldo-robot/waldo/pkg/certs"
)

// trusted is an authority to trust, and where that is good for something.
type trusted struct {
	robot     string
	file      string // of the authority
	authority *x509.Certificate
	leaf      *x509.Certificate // nil: none is issued yet
	places    []served.Place
	problems  map[string]error // what keeps clients out, by the names of places
}

// text explains how to trust the authority, to somebody at the robot.
func (t *trusted) text(terminal bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	if page := t.find(served.Page); page == nil || !page.Shared {
		line("The page is served to this machine only. To serve it to others, say so in robot.yaml: " +
			"gateway: {http: \":8080\"}\n")
	} else {
		address := "http://" + page.Address + "/trust"
		line("Open this on a phone, or on another computer, and follow it:\n\n  %s\n", address)
		if terminal {
			b.WriteString(code(address) + "\n")
		}
	}
	line("Compare the fingerprint there with this one:\n\n  %s\n  SHA-256 %s\n", t.authority.Subject.CommonName,
		certs.Fingerprint(t.authority))
	if wide := certs.TooWide(t.authority); len(wide) > 0 {
		line("Do not trust it: it is of an older version, and could issue certificates for sites of the internet, below %s.",
			strings.Join(wide, ", "))
		line("Make a new one with `waldo trust --new`, and remove this one wherever it is trusted.\n")
	}
	if t.leaf != nil {
		line("The robot's certificate is for %s, until %s.\n", certs.Listed(t.leaf), t.leaf.NotAfter.Format(time.DateOnly))
	}
	line("It is served here:\n")
	for _, p := range t.places {
		line("  %-9s %s", p.Name, t.describe(&p))
	}
	line("\nPrograms need the file %s (waldo trust --pem prints it):\n", t.file)
	for _, one := range t.programs() {
		line("  %-9s %s", one[0], one[1])
	}
	return b.String()
}

// describe says where a place is and what is wrong with it.
func (t *trusted) describe(p *served.Place) string {
	if p.Address == "" {
		return "at another port whenever it starts: name one, as in grpc: \":7101\""
	}
	text := p.URL()
	if p.Foreign {
		text += " (another server, which has a certificate of its own)"
	} else if !p.Shared {
		text += " (this machine only)"
	}
	if problem := t.problems[p.Name]; problem != nil {
		text += ": " + problem.Error()
	}
	return text
}

// programs are examples, for what this robot serves.
func (t *trusted) programs() (list [][2]string) {
	add := func(name, format string, args ...any) {
		list = append(list, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if bus := t.find(served.Bus); bus != nil && !bus.Foreign {
		add("waldo", "WALDO_CA=ca.crt waldo ls --nats %s", bus.URL())
		add("Python", "waldo.Robot(%q, ca=\"ca.crt\"), or WALDO_CA=ca.crt", bus.URL())
		add("Node", "connect({ nats: '%s', ca: 'ca.crt' }), or WALDO_CA=ca.crt", bus.URL())
	}
	if page := t.find(served.Page); page != nil {
		add("Go", "peer.Dial(ctx, %q, peer.Options{CA: \"ca.crt\"}), or WALDO_CA=ca.crt", page.URL())
		add("curl", "curl --cacert ca.crt %shealthz", page.URL())
	}
	if device := t.find(served.GRPC); device != nil {
		add("gRPC", "grpcurl -cacert ca.crt %s list", device.Address)
	}
	add("Chromium", "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n %q -i ca.crt", t.robot)
	return list
}

// find returns the first place of a kind with an address.
func (t *trusted) find(kind served.Kind) *served.Place {
	for i := range t.places {
		if p := &t.places[i]; p.Kind == kind && p.Address != "" {
			return p
		}
	}
	return nil
}
