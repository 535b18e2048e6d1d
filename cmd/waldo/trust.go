package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/served"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/robot"
)

type trustCommand struct {
	File string `arg:"" optional:"" help:"Description of the robot. Default: that of the robot that runs as units."`
	HTTP string `name:"http" placeholder:"HOST:PORT" help:"Where others find the page, if a router or a container forwards to it. Default: where waldo up serves it, else from the file."`
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
func (t *trustCommand) Run(ctx context.Context, c console) error {
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
	file := filepath.Join(folder, "ca.crt")
	trust := trusted{robot: r.Name, file: file, authority: authority, leaf: certs.ReadLeaf(folder),
		problems: map[string]error{}}
	for _, p := range served.Places(r, cmp.Or(t.HTTP, t.noted(folder, r.Name))) {
		trust.places = append(trust.places, p)
		if p.Address != "" && !p.Foreign {
			trust.problems[p.Name] = p.Try(ctx, file)
		}
	}
	_, err = fmt.Fprint(c.out, trust.text(isTerminal(c.out)))
	return err
}

// noted is where `waldo up` serves the page, if not where the file says. Units serve it where the file says.
func (t *trustCommand) noted(folder, robot string) string {
	if t.File == "" {
		return ""
	}
	return served.Noted(folder, robot)
}

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
