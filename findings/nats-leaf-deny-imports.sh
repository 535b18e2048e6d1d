#!/bin/bash
# What a leaf node of NATS denies to import it stops to export too, once somebody at the hub subscribes with wildcards.
#
# github.com/nats-io/nats-server/v2 v2.15.2 (Go 1.26): a leaf whose remote has `deny_imports: ["state.*"]` publishes
# state.a, and a client at the hub hears it. Then another client of the hub subscribes to `state.*`. From then on
# neither hears state.a any more, and nothing is logged, until the leaf connects again. With `state.*` in no list, both
# hear it. The server uses the denied imports as a filter of what it delivers to the leaf as soon as a subscription with
# wildcards could match them (client.loadMsgDenyFilterIfNeeded), and deliveries to the leaf are what is exported.
#
# Seen:  denied: exact 1 wildcard 0 exact again 0 | allowed: exact 1 wildcard 1 exact again 1
#
# So Waldo denies no subject in one direction that must pass in the other (pkg/bus/embedded, TestStates in hubtest).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func start(o *server.Options) *server.Server {
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", -1, true, true
	s, err := server.NewServer(o)
	if err != nil {
		panic(err)
	}
	s.Start()
	s.ReadyForConnections(10 * time.Second)
	return s
}

func connect(s *server.Server) *nats.Conn {
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		panic(err)
	}
	return nc
}

// try returns how many of the messages that the leaf publishes a subscription at the hub hears.
func try(leaf, hub *nats.Conn, subject string) int {
	sub, err := hub.SubscribeSync(subject)
	if err != nil {
		panic(err)
	}
	defer func() { _ = sub.Unsubscribe(); _ = hub.Flush(); time.Sleep(200 * time.Millisecond) }()
	_ = hub.Flush()
	time.Sleep(500 * time.Millisecond) // until the leaf knows
	_ = leaf.Publish("state.a", nil)
	_ = leaf.Flush()
	if _, err := sub.NextMsg(2 * time.Second); err != nil {
		return 0
	}
	return 1
}

func run(deny []string) string {
	hub := start(&server.Options{ServerName: "hub", LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: -1}})
	defer hub.Shutdown()
	v, _ := hub.Varz(nil)
	to, _ := url.Parse(fmt.Sprintf("nats://127.0.0.1:%d", v.LeafNode.Port))
	leaf := start(&server.Options{ServerName: "leaf", LeafNode: server.LeafNodeOpts{
		Remotes: []*server.RemoteLeafOpts{{URLs: []*url.URL{to}, DenyImports: deny}}}})
	defer leaf.Shutdown()
	for hub.NumLeafNodes() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	at, from := connect(hub), connect(leaf)
	defer at.Close()
	defer from.Close()
	return fmt.Sprintf("exact %d wildcard %d exact again %d", try(from, at, "state.a"), try(from, at, "state.*"), try(from, at, "state.a"))
}

func main() {
	fmt.Println("denied: " + run([]string{"state.*"}) + " | allowed: " + run(nil))
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/nats-io/nats.go@v1.55.0 github.com/nats-io/nats-server/v2@v2.15.2 >/dev/null 2>&1
got=$(GOWORK=off GOFLAGS=-mod=mod go run .)
echo "$got"
want="denied: exact 1 wildcard 0 exact again 0 | allowed: exact 1 wildcard 1 exact again 1"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
