#!/bin/bash
# The ICE transport policy "relay" of pion does not hold for TCP.
#
# github.com/pion/webrtc v4.2.20 (Go 1.26): a connection with ICETransportPolicyRelay, and TCP among its network types,
# gathers no candidates but those at relays. For a remote candidate of TCP, however, it opens a connection itself, without
# a relay, and uses that. Here there is no relay at all, so that no path should be found.
#
# Seen:  relay, no relay: connected by tcp | without active TCP: not connected
#
# So pkg/peer switches active TCP off for peer.Options.RelayOnly.
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
	"github.com/pion/webrtc/v4"
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

var quiet = &logging.DefaultLoggerFactory{Writer: io.Discard}

func connect(activeTCP bool) string {
	port := must(net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	defer port.Close()
	far := webrtc.SettingEngine{LoggerFactory: quiet}
	far.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	far.SetIncludeLoopbackCandidate(true)
	far.SetICETCPMux(webrtc.NewICETCPMux(quiet.NewLogger("tcp"), port, 8))
	b := must(webrtc.NewAPI(webrtc.WithSettingEngine(far)).NewPeerConnection(webrtc.Configuration{}))
	defer b.Close()

	near := webrtc.SettingEngine{LoggerFactory: quiet}
	near.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4})
	near.SetIncludeLoopbackCandidate(true)
	near.DisableActiveTCP(!activeTCP)
	a := must(webrtc.NewAPI(webrtc.WithSettingEngine(near)).NewPeerConnection(webrtc.Configuration{
		ICETransportPolicy: webrtc.ICETransportPolicyRelay}))
	defer a.Close()
	must(a.CreateDataChannel("data", nil))
	connected := make(chan struct{}, 1)
	a.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			connected <- struct{}{}
		}
	})

	offer := must(a.CreateOffer(nil))
	check(a.SetLocalDescription(offer))
	check(b.SetRemoteDescription(offer))
	gathered := webrtc.GatheringCompletePromise(b)
	check(b.SetLocalDescription(must(b.CreateAnswer(nil))))
	<-gathered
	check(a.SetRemoteDescription(*b.LocalDescription()))
	select {
	case <-connected:
		pair := must(a.SCTP().Transport().ICETransport().GetSelectedCandidatePair())
		return "connected by " + pair.Local.Protocol.String()
	case <-time.After(5 * time.Second):
		return "not connected"
	}
}

func main() {
	fmt.Printf("relay, no relay: %s | without active TCP: %s\n", connect(true), connect(false))
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/pion/webrtc/v4@v4.2.20 >/dev/null 2>&1
got=$(GOWORK=off go run .)
echo "$got"
want="relay, no relay: connected by tcp | without active TCP: not connected"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
