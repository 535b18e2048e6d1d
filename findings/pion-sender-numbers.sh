#!/bin/bash
# A sender made by pion's API.NewRTPSender uses numbers that were never negotiated.
#
# github.com/pion/webrtc/v4 v4.2.20 (Go 1.26): PeerConnection copies the MediaEngine of its API and negotiates with the
# copy. A sender created by API.NewRTPSender and installed with SetSender is bound with the original: its track gets the
# payload type and extension ids that were registered, while the answer, correctly, names those of the offer. There is no
# error, and a browser whose own numbers happen to match shows a picture. A sender created by PeerConnection.AddTrack is
# bound with the negotiated numbers.
#
# Seen, for an offer with H.264 as 99 and playout-delay as 5:
#   NewRTPSender: answer 99, track 102, extension 1 | AddTrack: answer 99, track 99, extension 5
#
# So Waldo lets the connection create its senders (services/webrtc-gateway/rtc), and its tests compare what is received
# with the answer.
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

const delay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// track remembers what it was bound with.
type track struct {
	*webrtc.TrackLocalStaticRTP
	bound string
}

func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	t.bound = fmt.Sprint("track ", c.CodecParameters()[0].PayloadType, ", extension ", c.HeaderExtensions()[0].ID)
	return t.TrackLocalStaticRTP.Bind(c)
}

var codec = webrtc.RTPCodecCapability{
	MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "packetization-mode=1;profile-level-id=42e01f",
}

func api(pt webrtc.PayloadType) *webrtc.API {
	m := &webrtc.MediaEngine{}
	check(m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: codec, PayloadType: pt}, webrtc.RTPCodecTypeVideo))
	check(m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: delay}, webrtc.RTPCodecTypeVideo))
	return webrtc.NewAPI(webrtc.WithMediaEngine(m))
}

func answer(attach func(*webrtc.API, *webrtc.PeerConnection, *track)) string {
	far := must(api(99).NewPeerConnection(webrtc.Configuration{}))
	must(far.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}))
	offer := must(far.CreateOffer(nil))
	offer.SDP = strings.Replace(offer.SDP, "a=extmap:1 ", "a=extmap:5 ", 1)
	ours := api(102)
	near := must(ours.NewPeerConnection(webrtc.Configuration{}))
	check(near.SetRemoteDescription(offer))
	t := &track{TrackLocalStaticRTP: must(webrtc.NewTrackLocalStaticRTP(codec, "video", "video"))}
	attach(ours, near, t)
	a := must(near.CreateAnswer(nil))
	check(near.SetLocalDescription(a))
	_, pt, _ := strings.Cut(a.SDP, "a=rtpmap:")
	check(far.Close())
	check(near.Close())
	return "answer " + strings.Fields(pt)[0] + ", " + t.bound
}

func main() {
	byAPI := answer(func(api *webrtc.API, pc *webrtc.PeerConnection, t *track) {
		sender := must(api.NewRTPSender(t, pc.SCTP().Transport()))
		check(pc.GetTransceivers()[0].SetSender(sender, t))
	})
	byConnection := answer(func(_ *webrtc.API, pc *webrtc.PeerConnection, t *track) { must(pc.AddTrack(t)) })
	fmt.Println("NewRTPSender:", byAPI, "| AddTrack:", byConnection)
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/pion/webrtc/v4@v4.2.20 >/dev/null 2>&1
got=$(GOWORK=off go run .)
echo "$got"
want="NewRTPSender: answer 99, track 102, extension 1 | AddTrack: answer 99, track 99, extension 5"
[ "$got" = "$want" ] || { echo "this has changed" >&2; exit 1; }
