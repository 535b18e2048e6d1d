package main

import (
	"fmt"
	"os"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

// secretFlags are the flags of commands that present the secret of a robot, or ask for it.
type secretFlags struct {
	Token     string `env:"WALDO_TOKEN" placeholder:"SECRET" help:"The secret of the robot; waldo token makes one, and without it only this machine can connect. Others can see flags, so rather use WALDO_TOKEN or a file."`
	TokenFile string `env:"WALDO_TOKEN_FILE" placeholder:"FILE" help:"File with the secret, on one line. Default: the unit's credential \"token\"."`
}

// AfterApply reads the file once the command line is known.
func (s *secretFlags) AfterApply() (err error) {
	if s.Token, err = access.Token(s.Token, s.TokenFile, os.Getenv); err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	return nil
}

// hideMemory keeps the robot's secrets from its other processes, if it has any.
func (s *secretFlags) hideMemory() {
	store := (*tokens.Store)(nil)
	if path, err := tokens.Path(os.Getenv); err == nil {
		store = tokens.Open(path)
	}
	if tokens.NewAuthority(s.Token, store).Guarded() {
		access.HideMemory()
	}
}
