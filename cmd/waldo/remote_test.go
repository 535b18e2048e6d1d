package main

import (
	"slices"
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
