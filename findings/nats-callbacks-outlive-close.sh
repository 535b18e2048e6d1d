#!/bin/bash
# nats.go runs its callbacks after Connect, and even Close, have returned, one after the other.
#
# github.com/nats-io/nats.go v1.55.0 with github.com/nats-io/nats-server/v2 v2.15.2 (Go 1.26): ConnectHandler,
# DisconnectErrHandler, ReconnectHandler and ClosedHandler go through one queue, which a separate goroutine processes.
# Connect returns before the handler of that connect has run; a slow handler delays the news of a disconnect, so a program
# that derives its state from the handlers believes in a connection that is long gone; and Close returns before queued
# handlers have run.
#
# Seen:  Connect returned | connected begins | server gone, IsConnected false | Close returned | connected ends | disconnected | closed
#
# So Waldo treats a connect that it found at once as reported, does not notify handlers that were added later, and logs
# nothing after Close (pkg/bus, TestLateCallbacks).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func main() {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		panic(err)
	}
	s.Start()
	s.ReadyForConnections(10 * time.Second)
	var mu sync.Mutex
	var said []string
	say := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, what)
	}
	returned, begun, resume, closed := make(chan bool), make(chan bool), make(chan bool), make(chan bool)
	nc, err := nats.Connect(s.ClientURL(),
		nats.ConnectHandler(func(*nats.Conn) { <-returned; say("connected begins"); close(begun); <-resume; say("connected ends") }),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { say("disconnected") }),
		nats.ClosedHandler(func(*nats.Conn) { say("closed"); close(closed) }))
	if err != nil {
		panic(err)
	}
	say("Connect returned")
	close(returned)
	<-begun
	s.Shutdown()
	for nc.IsConnected() {
		time.Sleep(time.Millisecond)
	}
	say("server gone, IsConnected false")
	nc.Close()
	say("Close returned")
	close(resume)
	<-closed
	fmt.Println(strings.Join(said, " | "))
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/nats-io/nats.go@v1.55.0 github.com/nats-io/nats-server/v2@v2.15.2 >/dev/null 2>&1
got=$(GOWORK=off GOFLAGS=-mod=mod go run .)
echo "$got"
want="Connect returned | connected begins | server gone, IsConnected false | Close returned | connected ends | disconnected | closed"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
