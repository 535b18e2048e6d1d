package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestBusFlags: who names the bus of another machine can say by which authority it is trusted.
func TestBusFlags(t *testing.T) {
	parser, err := kong.New(&commands{}, kong.Vars{"deadman": ""})
	if err != nil {
		t.Fatal(err)
	}
	var remotes []string
	for _, command := range parser.Model.Leaves(false) {
		var flags []string
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				flags = append(flags, flag.Name)
			}
		}
		if !slices.Contains(flags, "nats") || command.Name == "up" {
			continue
		}
		remotes = append(remotes, command.Name)
		if !slices.Contains(flags, "ca") {
			t.Errorf("%s has --nats, but not --ca", command.Path())
		}
	}
	for _, name := range []string{"ls", "upgrade", "reload"} {
		if !slices.Contains(remotes, name) {
			t.Errorf("%s has no --nats; these have: %v", name, remotes)
		}
	}
}

// TestWhyNoBus: what to do depends on what the bus says.
func TestWhyNoBus(t *testing.T) {
	for trouble, wants := range map[string][]string{
		"": {"is `waldo up` running?"},
		"dial tcp 127.0.0.1:4222: connect: connection refused": {"refused", "is `waldo up` running?"},
		"nats: expected 'PONG', got 'PING'":                    {"--nats tls://", "--ca", "waldo trust"},
		"tls: x509: certificate signed by unknown authority":   {"not trusted", "--ca"},
		"nats: Authorization Violation":                        {"--token-file", "--nats tls://"},
	} {
		for _, want := range wants {
			if got := why(trouble); !strings.Contains(got, want) {
				t.Errorf("%q: %q does not tell %q", trouble, got, want)
			}
		}
	}
}
