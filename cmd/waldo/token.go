package main

import (
	"crypto/rand"
	"fmt"
)

type tokenCommand struct{}

// Help explains the command.
func (*tokenCommand) Help() string {
	return `Without a token only this machine can reach a robot. With one, others can reach its page, gRPC and bus:

  export WALDO_TOKEN=$(waldo token)
  waldo up --http :8080 robot.yaml

Keep it where only you can read it. When it changes, everyone has to present the new one.`
}

// Run prints a new token.
func (*tokenCommand) Run(c console) error {
	_, err := fmt.Fprintln(c.out, rand.Text())
	return err
}
