package rtc

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// voiceTrack talks under a number of its own.
type voiceTrack struct {
	*webrtc.TrackLocalStaticRTP
	ssrc webrtc.SSRC
	out  webrtc.TrackLocalWriter
}

func (v *voiceTrack) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	v.ssrc, v.out = c.SSRC(), c.WriteStream()
	return v.TrackLocalStaticRTP.Bind(c)
}

// TestVoicesUnderTheirNumbers: each of two microphones has Opus under a number of its own.
func TestVoicesUnderTheirNumbers(t *testing.T) {
	e, _, said := newStudio(t)
	sections := []offered{
		{stream: tracks.Stream{Device: "head", Name: Speaker}, pt: 35, fmtp: "useinbandfec=1",
			extmap: []string{"3 mid", "4 cc"}},
		{stream: tracks.Stream{Device: "tail", Name: Speaker}, pt: 97, fmtp: "minptime=10"},
	}
	far, near := newPair(t, e, 0, 10)
	var voices []*voiceTrack
	var wanted []Track
	for i, s := range sections {
		static, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus},
			s.stream.Device, s.stream.Device)
		if err != nil {
			t.Fatal(err)
		}
		v := &voiceTrack{TrackLocalStaticRTP: static}
		init := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
		if _, err := far.PC.AddTransceiverFromTrack(v, init); err != nil {
			t.Fatal(err)
		}
		voices = append(voices, v)
		wanted = append(wanted, Track{MID: strconv.Itoa(i), Stream: s.stream, Talker: s.stream.Device})
	}
	text, err := far.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := near.Answer(t.Context(), number(t, text, sections), wanted)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a=rtpmap:35 opus/48000/2", "a=rtpmap:97 opus/48000/2",
		"a=fmtp:35 useinbandfec=1;maxaveragebitrate=48000"} {
		if !strings.Contains(answer, want) {
			t.Errorf("no %s in\n%s", want, answer)
		}
	}
	if err := far.Accept(answer); err != nil {
		t.Fatal(err)
	}
	<-far.Connected
	heard := map[string]bool{}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := uint16(0); len(heard) < len(voices); n++ {
		for i, v := range voices {
			h := rtp.Header{Version: 2, PayloadType: uint8(sections[i].pt), SSRC: uint32(v.ssrc), SequenceNumber: n,
				Timestamp: 960 * uint32(n)}
			if _, err := v.out.WriteRTP(&h, opusWord(sections[i].stream.Device)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case f := <-said:
			if !bytes.Equal(f.GetData(), opusWord(f.GetTalker())) {
				t.Errorf("%s says %q", f.GetTalker(), f.GetData())
			}
			heard[f.GetTalker()] = true
		case <-tick.C:
		}
		if n > 1000 {
			t.Fatalf("heard of %v only", heard)
		}
	}
}
