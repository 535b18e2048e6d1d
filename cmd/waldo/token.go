package main

import (
	"crypto/rand"
	"fmt"
)

type tokenCommand struct{}

// Help explains the command.
func (*tokenCommand) Help() string {
	return `Without a token a robot is for this machine only. With one, page, gRPC and bus may be for others:

  export WALDO_TOKEN=$(waldo token)
  waldo up --http :8080 robot.yaml

Keep it where only you can read it. When it changes, everybody has to present the new one.`
}

// Run prints a new token.
func (*tokenCommand) Run(c console) error {
	_, err := fmt.Fprintln(c.out, rand.Text())
	return err
}
