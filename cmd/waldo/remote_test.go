package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats.go"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
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

// TestAnswersLate: a device that does not answer the first question, as on a busy machine, is found by a later one.
func TestAnswersLate(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	t.Setenv("WALDO_NATS", server.URL())
	listener, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	asked, err := listener.SubscribeSync("$SRV.INFO")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Flush(); err != nil {
		t.Fatal(err)
	}
	result := make(chan string, 1)
	go func() {
		code, out, err := waldo(t, "record", "status", "--timeout", "2m")
		result <- fmt.Sprintf("%d %s%s", code, out, err)
	}()
	if _, err := asked.NextMsg(time.Minute); err != nil {
		t.Fatal(err)
	}
	(&tape{}).start(t, server.URL(), "demo")
	if got := <-result; !strings.HasPrefix(got, "0 demo/recorder: ") {
		t.Error(got)
	}
}

// TestNobodyAnswers: what may be the reason is asked, and nobody is told to change a robot.yaml that may be right.
func TestNobodyAnswers(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	t.Setenv("WALDO_NATS", server.URL())
	for want, args := range map[string][]string{
		"waldo: device \"motors\": no device has answered within ": {"snapshot", "motors"},
		"waldo: no recorder has answered within ":                  {"recordings"},
	} {
		code, _, err := waldo(t, args...)
		if code != 1 || !strings.HasPrefix(err, want) || !strings.Contains(err, "is `waldo up` running") ||
			strings.Contains(err, "add ") {
			t.Errorf("%v: got %d, %q", args, code, err)
		}
	}
}
