#!/bin/bash
# A controlled ICE agent of pion does not follow the other side to a path of lower priority, even though the path
# before it is dead.
#
# github.com/pion/ice v4.4.2 (Go 1.26): the controlled agent has a selected pair. The controlling side loses that path
# and nominates another one (USE-CANDIDATE), as a phone does whose Wi-Fi is gone and which goes on by its mobile network:
# that path has a lower priority. Pion answers its checks, so the state stays "connected", but ignores the nomination and
# sends by the dead path for as long as the other side keeps the new one alive. With the same or a higher priority it
# switches. A BindingRequestHandler that returns true makes it switch in any case.
#
# Seen:  lower: nothing arrives by the new path | same: arrives | lower, with a handler: arrives
#
# So the gateway follows a nominated path when nothing has come by the old one for 1.5 s
# (services/webrtc-gateway/rtc, follower).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const high, low = 110<<24 | 65535<<8 | 255, 100<<24 | 65535<<8 | 255

// check is what the controlling side does, by hand: it checks from a socket, and nominates.
func check(from net.PacketConn, to net.Addr, user, theirs string, priority uint32) {
	m := must(stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(user), ice.UseCandidate(),
		ice.AttrControlling(7), ice.PriorityAttr(priority), stun.NewShortTermIntegrity(theirs), stun.Fingerprint))
	must(from.WriteTo(m.Raw, to))
}

// serve answers checks, and counts data that arrives, until the socket is closed.
func serve(c net.PacketConn, mine string, data chan<- string) {
	b := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		m := &stun.Message{Raw: append([]byte(nil), b[:n]...)}
		if !stun.IsMessage(b[:n]) {
			data <- string(b[:n])
			continue
		}
		if m.Decode() == nil && m.Type == stun.BindingRequest {
			a := from.(*net.UDPAddr)
			r := must(stun.Build(m, stun.BindingSuccess, &stun.XORMappedAddress{IP: a.IP, Port: a.Port},
				stun.NewShortTermIntegrity(mine), stun.Fingerprint))
			_, _ = c.WriteTo(r.Raw, from)
		}
	}
}

func follows(priority uint32, options ...ice.AgentOption) bool {
	const ufrag, pwd = "farfar", "farfarfarfarfarfarfarfar"
	options = append(options, ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}), ice.WithIncludeLoopback(),
		ice.WithIPFilter(net.IP.IsLoopback), ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled))
	agent := must(ice.NewAgentWithOptions(options...))
	defer agent.Close()
	gathered := make(chan struct{})
	var near net.Addr
	if err := agent.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(gathered)
			return
		}
		near = &net.UDPAddr{IP: net.ParseIP(c.Address()), Port: c.Port()}
	}); err != nil {
		panic(err)
	}
	if err := agent.GatherCandidates(); err != nil {
		panic(err)
	}
	<-gathered
	theirUfrag, theirPwd, _ := agent.GetLocalUserCredentials()
	old, fresh := must(net.ListenPacket("udp4", "127.0.0.1:0")), must(net.ListenPacket("udp4", "127.0.0.1:0"))
	defer old.Close()
	defer fresh.Close()
	before, after := make(chan string, 100), make(chan string, 100)
	go serve(old, pwd, before)
	go serve(fresh, pwd, after)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	connected := make(chan *ice.Conn, 1)
	go func() { connected <- must(agent.Accept(ctx, ufrag, pwd)) }()
	var conn *ice.Conn
	for conn == nil {
		check(old, near, theirUfrag+":"+ufrag, theirPwd, high)
		select {
		case conn = <-connected:
		case <-time.After(50 * time.Millisecond):
		}
	}
	for range 30 { // from now on the far end is elsewhere, and says nothing by the old path
		check(fresh, near, theirUfrag+":"+ufrag, theirPwd, priority)
		must(conn.Write([]byte("data")))
		time.Sleep(50 * time.Millisecond)
	}
	return len(after) > 0
}

func main() {
	words := map[bool]string{false: "nothing arrives by the new path", true: "arrives"}
	handler := ice.WithBindingRequestHandler(func(m *stun.Message, _, _ ice.Candidate, _ *ice.CandidatePair) bool {
		return m.Contains(stun.AttrUseCandidate)
	})
	fmt.Printf("lower: %s | same: %s | lower, with a handler: %s\n", words[follows(low)], words[follows(high)],
		words[follows(low, handler)])
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/pion/ice/v4@v4.4.2 github.com/pion/stun/v4@v4.0.0 >/dev/null 2>&1
got=$(GOWORK=off go run .)
echo "$got"
[ "$got" = "lower: nothing arrives by the new path | same: arrives | lower, with a handler: arrives" ] || {
	echo "this has changed" >&2
	exit 1
}
