#!/bin/bash
# Of several codecs in one media section pion keeps those that match exactly, and forgets the others.
#
# github.com/pion/webrtc v4.2.20 (Go 1.26): with H264 and VP8 registered without parameters, an offer that lists both,
# as browsers do, is answered with VP8 alone, because H.264 has parameters in every offer and so matches only in part.
# A transceiver cannot be told to prefer H264 then: SetCodecPreferences fails with "unsupported codec type by this
# transceiver". An offer of H264 alone is answered.
#
# Seen:  both: VP8, prefers H264: false | alone: H264, prefers H264: true
#
# So the gateway chooses the codec of each section itself and takes the others out of the offer before pion sees it
# (services/webrtc-gateway/rtc, offer.narrow).
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
cat >main.go <<'GO'
package main

import (
	"fmt"
	"strings"

	"github.com/pion/webrtc/v4"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var h264 = webrtc.RTPCodecParameters{PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000}}
var vp8 = webrtc.RTPCodecParameters{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}}

// offer is that of a peer that takes some codecs, with the parameters of a browser.
func offer(mimes ...string) string {
	pc := must(webrtc.NewPeerConnection(webrtc.Configuration{}))
	defer pc.Close()
	t := must(pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}))
	var kept []webrtc.RTPCodecParameters
	for _, c := range t.Receiver().GetParameters().Codecs {
		for _, m := range mimes {
			if c.MimeType == m {
				kept = append(kept, c)
			}
		}
	}
	if err := t.SetCodecPreferences(kept); err != nil {
		panic(err)
	}
	return must(pc.CreateOffer(nil)).SDP
}

func answer(offer string) string {
	var m webrtc.MediaEngine
	for _, c := range []webrtc.RTPCodecParameters{h264, vp8} {
		if err := m.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
			panic(err)
		}
	}
	pc := must(webrtc.NewAPI(webrtc.WithMediaEngine(&m)).NewPeerConnection(webrtc.Configuration{}))
	defer pc.Close()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		panic(err)
	}
	prefers := pc.GetTransceivers()[0].SetCodecPreferences([]webrtc.RTPCodecParameters{h264}) == nil
	sdp, codecs := must(pc.CreateAnswer(nil)).SDP, ""
	for _, name := range []string{"H264", "VP8"} {
		if strings.Contains(sdp, " "+name+"/90000") {
			codecs += name
		}
	}
	return fmt.Sprintf("%s, prefers H264: %v", codecs, prefers)
}

func main() {
	fmt.Printf("both: %s | alone: %s\n", answer(offer(webrtc.MimeTypeH264, webrtc.MimeTypeVP8)), answer(offer(webrtc.MimeTypeH264)))
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/pion/webrtc/v4@v4.2.20 >/dev/null 2>&1
got=$(GOWORK=off go run .)
echo "$got"
[ "$got" = "both: VP8, prefers H264: false | alone: H264, prefers H264: true" ] || { echo "this has changed" >&2; exit 1; }
