package main

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/robot"
)

type trustCommand struct {
	File string `arg:"" optional:"" help:"Description of the robot. Default: that of the robot that runs as units."`
	HTTP string `name:"http" placeholder:"HOST:PORT" help:"Where the page is served, as given to waldo up. Default: from the file."`
	PEM  bool   `name:"pem" help:"Print the authority's certificate, and nothing else."`
	New  bool   `help:"Make a new authority: the key is lost or stolen, or names are missing. Everybody has to trust the new one."`
}

// Help explains the command.
func (*trustCommand) Help() string {
	return `With tls: auto in its file, a robot has a certificate authority of its own. A phone or browser that trusts it
takes the robot's page over https, where it gives pages a microphone, a camera and gamepads. The authority can issue
certificates for the robot's names, and for addresses, only.

  waldo trust robot.yaml               # what to open on a phone, and what programs need
  waldo trust --pem robot.yaml > rover.crt
  ssh rover sudo waldo trust --pem > rover.crt`
}

// Run prints what is needed.
func (t *trustCommand) Run(c console) error {
	r, folder, err := t.robot()
	if err != nil {
		return configurationError{err}
	}
	if t.New {
		if _, err := certs.RenewAuthority(folder, r.Name, certs.NamesOf(r.Name, r.TLS.Names)); err != nil {
			return fmt.Errorf("the new authority cannot be made: %w", err)
		}
	}
	authority, err := certs.ReadAuthority(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return configurationError{fmt.Errorf("the robot has no authority yet, there is no file %s: run it once, with "+
			"`waldo up`, as the user and on the machine that it runs on", filepath.Join(folder, "ca.crt"))}
	case err != nil:
		return err
	case t.PEM:
		_, err = c.out.Write(certs.Encode(authority))
		return err
	}
	// An address to try is all that is needed; a token that opens it is not put into it.
	page, _ := launch.New(r, launch.Programs{}, launch.Config{HTTP: t.HTTP, Token: cmp.Or(os.Getenv("WALDO_TOKEN"), anyToken)})
	_, err = fmt.Fprint(c.out, trustText(r, folder, authority, page.Served(), isTerminal(c.out)))
	return err
}

// anyToken stands for the token that the robot is run with, if it is not known here.
const anyToken = "a token of sixteen characters"

// robot returns whose authority it is, and the folder it is in.
func (t *trustCommand) robot() (r *robot.Robot, folder string, err error) {
	if t.File != "" {
		r, err = robot.Load(t.File)
	} else if r = units.Installed(); r == nil {
		err = errors.New("no robot runs as units on this machine: name the file of the robot, as in waldo trust robot.yaml")
	}
	switch {
	case err != nil:
		return nil, "", err
	case !r.TLS.On():
		return nil, "", fmt.Errorf("%s: the robot has no certificate: add `tls: auto`", r.File)
	case !r.TLS.Auto:
		return nil, "", fmt.Errorf("%s: tls: the certificate is not of an authority of the robot's own: there is nothing to "+
			"trust, unless its authority is your own", r.File)
	case t.File == "" && os.Getenv("STATE_DIRECTORY") == "":
		return r, filepath.Join(installed, "tls"), nil
	}
	folder, err = certs.Folder(os.Getenv)
	return r, folder, err
}

// trustText explains how to trust an authority. at is where the page is served, host:port.
func trustText(r *robot.Robot, folder string, authority *x509.Certificate, at string, terminal bool) string {
	file := filepath.Join(folder, "ca.crt")
	var b strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	page := "http://" + at + "/trust"
	line("Open this on a phone, or on another computer, and follow it:\n\n  %s\n", page)
	if terminal {
		b.WriteString(code(page) + "\n")
	}
	line("Compare the fingerprint there with this one:\n\n  %s\n  SHA-256 %s\n", authority.Subject.CommonName,
		certs.Fingerprint(authority))
	if wide := certs.TooWide(authority); len(wide) > 0 {
		line("Do not trust it: it is of an older version, and could issue certificates for sites of the internet, below %s.",
			strings.Join(wide, ", "))
		line("Make a new one with `waldo trust --new`, and remove this one wherever it is trusted.\n")
	}
	if leaf := certs.ReadLeaf(folder); leaf != nil {
		line("The robot's certificate is for %s, until %s.\n", certs.Listed(leaf), leaf.NotAfter.Format("2006-01-02"))
	}
	line("Programs need the file %s (waldo trust --pem prints it):\n", file)
	for _, one := range [][2]string{
		{"waldo", "WALDO_CA=ca.crt waldo ls --nats tls://ROBOT:4222"},
		{"Python", `waldo.Robot("tls://ROBOT:4222", ca="ca.crt"), or WALDO_CA=ca.crt`},
		{"Node", `connect({ nats: 'tls://ROBOT:4222', ca: 'ca.crt' }), or WALDO_CA=ca.crt`},
		{"Go", `peer.Dial(ctx, "https://` + at + `/", peer.Options{CA: "ca.crt"}), or WALDO_CA=ca.crt`},
		{"gRPC", "grpcurl -cacert ca.crt ROBOT:7101 list"},
		{"curl", "curl --cacert ca.crt https://" + at + "/healthz"},
		{"Chromium", fmt.Sprintf("certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n %q -i ca.crt", r.Name)},
	} {
		line("  %-9s %s", one[0], one[1])
	}
	return b.String()
}
