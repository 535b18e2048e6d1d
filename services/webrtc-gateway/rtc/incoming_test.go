package rtc

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// basin keeps what a far end sends.
type basin struct {
	begun    chan Incoming
	payloads chan []byte
}

func newBasin() *basin { return &basin{make(chan Incoming, 10), make(chan []byte, 1000)} }

func (b *basin) Begin(i Incoming) { b.begun <- i }
func (b *basin) Garbage()         {}
func (b *basin) Accept(_ *rtp.Header, payload []byte, _ time.Time) {
	select {
	case b.payloads <- bytes.Clone(payload):
	default:
	}
}

// TestBothWays: one section carries a microphone of the robot to the far end, and the far end's to a sink.
func TestBothWays(t *testing.T) {
	e, _, _ := newStudio(t)
	far, near := newPair(t, e, 0, 10)
	static, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "a", "a")
	if err != nil {
		t.Fatal(err)
	}
	v := &voiceTrack{TrackLocalStaticRTP: static}
	if _, err := far.PC.AddTransceiverFromTrack(v); err != nil {
		t.Fatal(err)
	}
	text, err := far.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	sink := newBasin()
	both := Track{MID: "0", Stream: tracks.Stream{Device: "head", Name: Audio}, Sink: sink}
	answer, err := near.Answer(t.Context(), text, []Track{both})
	if err != nil || !strings.Contains(answer, "a=sendrecv") {
		t.Fatalf("%v in\n%s", err, answer)
	}
	if err := far.Accept(answer); err != nil {
		t.Fatal(err)
	}
	<-far.Connected
	if p, err := far.Packet(t.Context()); err != nil || !bytes.Equal(p.Payload, opusWord("head")) {
		t.Fatalf("the far end hears %v, %v", p, err)
	}
	arrives(t, v, sink)
}

// arrives sends words on a track until one reaches a sink.
func arrives(t *testing.T, v *voiceTrack, sink *basin) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(watcher.Timeout)
	for n := uint16(0); ; n++ {
		h := rtp.Header{Version: 2, PayloadType: 111, SSRC: uint32(v.ssrc), SequenceNumber: n, Timestamp: 960 * uint32(n)}
		if _, err := v.out.WriteRTP(&h, opusWord("far")); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-sink.payloads:
			if begun := <-sink.begun; !bytes.Equal(got, opusWord("far")) || begun.SSRC != uint32(v.ssrc) ||
				begun.Codec.MediaType != webrtc.MimeTypeOpus {
				t.Errorf("%q of %+v", got, begun)
			}
			return
		case <-tick.C:
		case <-deadline:
			t.Fatal("nothing reaches the sink")
		}
	}
}

// TestSpareSection: a section that is offered and not used, again and again, can be used in the end.
func TestSpareSection(t *testing.T) {
	e, _, _ := newStudio(t)
	far, near := newPair(t, e, 0, 10)
	static, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "a", "a")
	if err != nil {
		t.Fatal(err)
	}
	v := &voiceTrack{TrackLocalStaticRTP: static}
	if _, err := far.PC.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	if _, err := far.PC.AddTransceiverFromTrack(v,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		t.Fatal(err)
	}
	sink := newBasin()
	heard := Track{MID: "0", Stream: tracks.Stream{Device: "head", Name: Audio}}
	said := Track{MID: "1", Stream: tracks.Stream{Device: "guest", Name: Microphone}, Sink: sink}
	for i, wanted := range [][]Track{{heard}, {heard}, {heard, said}} {
		text, err := far.Offer(nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := near.Answer(t.Context(), text, wanted)
		if err != nil {
			t.Fatal(err)
		}
		if used := strings.Contains(answer, "a=recvonly"); used != (len(wanted) == 2) {
			t.Errorf("answer %d to the section:\n%s", i, answer)
		}
		if err := far.Accept(answer); err != nil {
			t.Fatal(err)
		}
		<-far.Connected
	}
	arrives(t, v, sink)
}

// TestSectionsForSinks: what a section must be for a sink.
func TestSectionsForSinks(t *testing.T) {
	for _, tt := range []struct {
		name, direction string
		track           Track
		wrong           string // in the error; empty: none
	}{
		{"both ways", "sendrecv", Track{Stream: front, Sink: newBasin()}, ""},
		{"both ways, far end only sends", "sendonly", Track{Stream: front, Sink: newBasin()}, "offer a=sendrecv"},
		{"both ways, far end only receives", "recvonly", Track{Stream: front, Sink: newBasin()}, "offer a=sendrecv"},
		{"camera", "sendonly", Track{Stream: tracks.Stream{Name: Camera}, Sink: newBasin()}, ""},
		{"camera of a section both ways", "sendrecv", Track{Stream: tracks.Stream{Name: Camera}, Sink: newBasin()}, ""},
		{"camera of a receiver", "recvonly", Track{Stream: tracks.Stream{Name: Camera}, Sink: newBasin()},
			"offer a=sendonly"},
		{"microphone of a section of video", "sendonly", Track{Stream: tracks.Stream{Name: Microphone}}, "not audio"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sections := []offered{{stream: front, pt: 97}}
			text := strings.Replace(number(t, offerOf(t, sections), sections), "a=recvonly", "a="+tt.direction, 1)
			tt.track.MID = "0"
			_, err := readOffer(text, []Track{tt.track})
			if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%v, want %q", err, tt.wrong)
			}
			all, err := Sections(text)
			if err != nil || len(all) != 1 || !all[0].Shared || all[0].Media != Video ||
				all[0].Sends != (tt.direction != "recvonly") || all[0].Receives != (tt.direction != "sendonly") {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}
