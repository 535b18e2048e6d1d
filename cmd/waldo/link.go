package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/robot"
)

type linkCommand struct {
	File  string `arg:"" help:"Description of the robot."`
	Token bool   `help:"Put the robot's token into the link. Anyone with such a link may drive."`
}

// Help explains the command.
func (*linkCommand) Help() string {
	return `The link is to the robot's page at its rendezvous server (gateway.rendezvous in the file). It has the
fingerprint of the robot's key, by which browsers and Go programs make sure that it is this robot that answers. It is
the part after the # that they keep to themselves: the server does not see it.

  waldo link robot.yaml            # for a browser that knows the token already
  WALDO_TOKEN=… waldo link --token robot.yaml`
}

// Run prints the link.
func (l *linkCommand) Run(c console) error {
	r, err := robot.Load(l.File)
	if err != nil {
		return configurationError{err}
	}
	token := ""
	if l.Token {
		token = cmp.Or(os.Getenv("WALDO_TOKEN"), r.Gateway.Text("token"))
		if token == "" {
			return configurationError{errors.New("there is no token to put into the link: set WALDO_TOKEN, or gateway.token")}
		}
	}
	link, err := launch.Link(r, token, os.Getenv)
	if err != nil {
		return configurationError{err}
	}
	_, err = fmt.Fprintln(c.out, link)
	return err
}
