#!/bin/bash
# An ICE restart of pion offers the addresses that the machine had when the connection was made.
#
# github.com/pion/ice v4.4.2 (Go 1.26), in a network namespace of its own: an agent gathers its candidates, the machine
# gets another address in place of its first one, and the agent is restarted and gathers again, as after a change from
# Wi-Fi to a mobile network. It goes on with the list of interfaces that it took when it was made, so that there is no
# candidate of the new address, and nothing but a new connection helps. An agent that is made then has the new address.
#
# Seen:  first: 192.0.2.1 | restarted: none | another agent: 192.0.2.2
#
# So pkg/pionnet shows pion the interfaces as they are, and TestGoPeerOnTheMove joins networks with different addresses.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func ip(arguments string) { check(exec.Command("ip", strings.Fields(arguments)...).Run()) }

func agent() *ice.Agent {
	a, err := ice.NewAgentWithOptions(ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}),
		ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled),
		ice.WithLoggerFactory(&logging.DefaultLoggerFactory{Writer: io.Discard}))
	check(err)
	return a
}

// gather returns the addresses of the candidates.
func gather(a *ice.Agent) string {
	done := make(chan struct{})
	list := "none"
	check(a.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(done)
		} else {
			list = c.Address()
		}
	}))
	check(a.GatherCandidates())
	<-done
	return list
}

func main() {
	ip("link add net0 type veth peer name net1")
	ip("link set net1 up")
	ip("link set net0 up")
	ip("address add 192.0.2.1/24 dev net0")
	a := agent()
	defer a.Close()
	first := gather(a)
	ip("address flush dev net0")
	ip("address add 192.0.2.2/24 dev net0")
	check(a.Restart("", ""))
	again := gather(a)
	b := agent()
	defer b.Close()
	fmt.Printf("first: %s | restarted: %s | another agent: %s\n", first, again, gather(b))
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/pion/ice/v4@v4.4.2 >/dev/null 2>&1
GOWORK=off go build -o finding .
got=$(unshare --map-root-user --net ./finding)
echo "$got"
want="first: 192.0.2.1 | restarted: none | another agent: 192.0.2.2"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
