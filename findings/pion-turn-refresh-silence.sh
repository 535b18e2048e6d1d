#!/bin/bash
# A client of pion/turn does not notice that its allocation has ended.
#
# github.com/pion/turn/v5 v5.1.0 (Go 1.26): the server checks credentials of LongTermTURNRESTAuthHandler on every
# request. When they expire during a call, the server refuses to refresh the allocation (400), which therefore ends. From
# then on it answers requests for the allocation with nothing, and the client's WriteTo goes on to return no error: the
# call is silent, without a reason. TURN servers that check the time only for new allocations, such as coturn 4.6.1, keep
# the call.
#
# Seen, with credentials of 2 s and allocations of 4 s:
#   after 0 s: 5 of 5 packets arrive | after 10 s: 0 of 5 packets arrive, WriteTo fails 0 times
#
# So Waldo's relay (rendezvous/relay) refreshes an allocation with credentials that have expired, for as long as they
# were good, and answers requests without an allocation with 437.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func listen() net.PacketConn { return must(net.ListenPacket("udp4", "127.0.0.1:0")) }

func main() {
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard}
	port := listen()
	server := must(turn.NewServer(turn.ServerConfig{
		Realm: "pion", LoggerFactory: quiet, AllocationLifetime: 4 * time.Second,
		AuthHandler: turn.LongTermTURNRESTAuthHandler("secret", quiet.NewLogger("auth")),
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: port, RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
			RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}}},
	}))
	defer server.Close()

	name, password, err := turn.GenerateLongTermTURNRESTCredentials("secret", "user", 2*time.Second)
	check(err)
	client := must(turn.NewClient(&turn.ClientConfig{TURNServerAddr: port.LocalAddr().String(), Conn: listen(),
		Username: name, Password: password, LoggerFactory: quiet}))
	defer client.Close()
	check(client.Listen())
	relayed := must(client.Allocate())

	peer := listen()
	arrived := make(chan struct{}, 100)
	go func() {
		b := make([]byte, 100)
		for {
			if _, _, err := peer.ReadFrom(b); err != nil {
				return
			}
			arrived <- struct{}{}
		}
	}()
	count := func() (came, failed int) {
		for range 5 {
			if _, err := relayed.WriteTo([]byte("hello"), peer.LocalAddr()); err != nil {
				failed++
			}
			select {
			case <-arrived:
				came++
			case <-time.After(time.Second):
			}
		}
		return came, failed
	}
	came, _ := count()
	time.Sleep(10 * time.Second)
	later, failed := count()
	fmt.Printf("after 0 s: %d of 5 packets arrive | after 10 s: %d of 5 packets arrive, WriteTo fails %d times\n",
		came, later, failed)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/pion/turn/v5@v5.1.0 >/dev/null 2>&1
got=$(GOWORK=off go run .)
echo "$got"
want="after 0 s: 5 of 5 packets arrive | after 10 s: 0 of 5 packets arrive, WriteTo fails 0 times"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
