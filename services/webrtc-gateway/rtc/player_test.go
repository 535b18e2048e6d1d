package rtc

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/rtp/origin"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// player is a far end with sections as offered, and what became of each of them.
type player struct {
	t        *testing.T
	far      *watcher.Watcher
	near     *Peer
	sections []offered
	ssrcs    []uint32 // of the sections
	restart  bool     // ICE is restarted with the next offer
}

func newPlayer(t *testing.T, e *Engine, sections []offered) *player {
	t.Helper()
	return newPlayerAs(t, e, watcher.Config{Buffer: 10_000}, sections)
}

// newPlayerAs likewise, with a far end of one's own.
func newPlayerAs(t *testing.T, e *Engine, c watcher.Config, sections []offered) *player {
	t.Helper()
	far, near := openPair(t, e, c)
	for _, s := range sections {
		want := far.Want
		if s.stream.Name == Audio {
			want = far.WantAudio
		}
		if err := want(); err != nil {
			t.Fatal(err)
		}
	}
	near.Confirms(true)
	p := &player{t: t, far: far, near: near}
	p.negotiate(sections)
	return p
}

// negotiate makes an offer and checks the numbers of the answer.
func (p *player) negotiate(sections []offered) {
	p.t.Helper()
	text, err := p.far.Offer(&webrtc.OfferOptions{ICERestart: p.restart})
	if err != nil {
		p.t.Fatal(err)
	}
	var tracks []Track
	for i, s := range sections {
		if !s.idle {
			tracks = append(tracks, Track{MID: strconv.Itoa(i), Stream: s.stream})
		}
	}
	answer, err := p.near.Answer(p.t.Context(), number(p.t, text, sections), tracks)
	if err != nil {
		p.t.Fatal(err)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		p.t.Fatal(err)
	}
	p.checkBundle(sections, &d)
	p.sections, p.ssrcs = sections, make([]uint32, len(sections))
	for i, s := range sections {
		p.ssrcs[i] = p.checkAnswer(s, d.MediaDescriptions[i])
	}
	if err := p.far.Accept(answer); err != nil {
		p.t.Fatal(err)
	}
	p.near.Applied()
}

// checkBundle: the sections that are not rejected share a connection, and its candidates are in the first of them.
func (p *player) checkBundle(sections []offered, d *sdp.SessionDescription) {
	p.t.Helper()
	want := "BUNDLE"
	for i, s := range sections {
		_, got := d.MediaDescriptions[i].Attribute(sdp.AttrKeyCandidate)
		if first := want == "BUNDLE" && !s.rejected; got != first {
			p.t.Errorf("section %d: candidates %v, want %v", i, got, first)
		}
		if !s.rejected {
			want += " " + strconv.Itoa(i)
		}
	}
	if got, _ := d.Attribute(sdp.AttrKeyGroup); got != want {
		p.t.Errorf("group %q, want %q", got, want)
	}
}

// checkAnswer compares a section of the answer with what is to be received, and returns the SSRC that it announces.
func (p *player) checkAnswer(s offered, m *sdp.MediaDescription) (ssrc uint32) {
	p.t.Helper()
	if got := fmt.Sprint(m.MediaName.Formats); got != s.formats() || (m.MediaName.Port.Value == 0) != s.rejected {
		p.t.Errorf("%s: answered with payload types %s at port %d, want %s, rejected: %v", s.stream, got,
			m.MediaName.Port.Value, s.formats(), s.rejected)
	}
	if _, inactive := m.Attribute(sdp.AttrKeyInactive); inactive != s.idle {
		p.t.Errorf("%s: inactive %v, want %v", s.stream, inactive, s.idle)
	}
	if got, _ := attributeOf(m, "rtpmap", strconv.Itoa(s.pt)); !strings.EqualFold(got, s.name()) && !s.rejected {
		p.t.Errorf("%s: answered with the codec %q, want %q", s.stream, got, s.name())
	}
	var want, got []string
	for uri, id := range map[string]uint8{
		tracks.TransportURI: s.number, tracks.PlayoutDelayURI: s.delay, tracks.AbsCaptureTimeURI: s.capture,
		origin.FrameURI: s.frame, origin.EpochURI: s.run,
	} {
		if id != 0 {
			want = append(want, fmt.Sprint(id, " ", uri))
		}
	}
	for _, a := range m.Attributes {
		switch a.Key {
		case sdp.AttrKeyExtMap:
			got = append(got, a.Value)
		case sdp.AttrKeySSRC:
			if ssrc == 0 {
				_, _ = fmt.Sscan(a.Value, &ssrc) // 0 if it is none
			}
		}
	}
	p.checkFeedback(s, m)
	p.checkRepairs(s, m, ssrc)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		p.t.Errorf("%s: answered with extensions %q, want %q", s.stream, got, want)
	}
	return ssrc
}

// checkFeedback: the answer has the feedback about the path that was offered, if packets have the numbers for it.
func (p *player) checkFeedback(s offered, m *sdp.MediaDescription) {
	p.t.Helper()
	var got []string
	for _, a := range m.Attributes {
		if _, kind, _ := strings.Cut(a.Value, " "); a.Key == "rtcp-fb" && (kind == transportCC || kind == remb) {
			got = append(got, a.Value)
		}
	}
	slices.Sort(got)
	var want []string
	if s.number != 0 {
		want = []string{fmt.Sprint(s.pt, " ", remb), fmt.Sprint(s.pt, " ", transportCC)}
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s: answered with the feedback %q, want %q", s.stream, got, want)
	}
}

// receive returns so many packets of a section, from the beginning of a frame on.
func (p *player) receive(i, n int) (packets []*rtp.Packet) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), watcher.Timeout)
	defer cancel()
	began := p.sections[i].stream.Name != Video
	for len(packets) < n {
		packet, err := p.far.Packet(ctx)
		if err != nil {
			p.t.Fatalf("%s: %d of %d packets: %v", p.sections[i].stream, len(packets), n, err)
		}
		switch {
		case packet.SSRC != p.ssrcs[i]:
		case began:
			packets = append(packets, packet)
		default:
			began = packet.Marker
		}
	}
	return packets
}

// settle waits until everything comes under the new numbers.
func (p *player) settle() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), watcher.Timeout)
	defer cancel()
	for i, s := range p.sections {
		for {
			packet, err := p.far.Packet(ctx)
			if err != nil {
				p.t.Fatalf("%s: nothing comes as %d: %v", s.stream, s.pt, err)
			}
			if packet.SSRC == p.ssrcs[i] && int(packet.PayloadType) == s.pt {
				break
			}
		}
	}
}

// checkVideo reads pictures of a section and compares them, bit by bit, with what the camera sent and what was
// negotiated.
func (p *player) checkVideo(i int, picture []byte) (packets []*rtp.Packet) {
	p.t.Helper()
	s, begins := p.sections[i], true
	packets = p.receive(i, 12) // a picture has four
	var got []byte
	var h264 codecs.H264Packet
	for _, packet := range packets {
		if int(packet.PayloadType) != s.pt {
			p.t.Fatalf("%s: payload type %d, want %d", s.stream, packet.PayloadType, s.pt)
		}
		p.checkExtensions(s, packet, begins)
		part, err := h264.Unmarshal(packet.Payload)
		if err != nil {
			p.t.Fatal(err)
		}
		if got = append(got, part...); packet.Marker {
			if !bytes.Equal(got, picture) {
				p.t.Errorf("%s: a picture of %d bytes came that is not the camera's of %d", s.stream, len(got), len(picture))
			}
			got = nil
		}
		begins = packet.Marker
	}
	return packets
}

// checkExtensions: the first packet of a picture has all extensions, the others have none but the transport-wide
// number.
func (p *player) checkExtensions(s offered, packet *rtp.Packet, begins bool) {
	p.t.Helper()
	var want []uint8
	for _, id := range []uint8{s.number, s.delay, s.capture, s.frame, s.run} {
		if id != 0 && (begins || id == s.number) {
			want = append(want, id)
		}
	}
	got := packet.GetExtensionIDs()
	if !slices.Equal(got, want) {
		p.t.Fatalf("%s: header extensions %v, want %v", s.stream, got, want)
	}
	for _, id := range got {
		data := packet.GetExtension(id)
		var captured rtp.AbsCaptureTimeExtension
		switch {
		case id == s.delay && !bytes.Equal(data, []byte{0, 0, 0}):
			p.t.Errorf("%s: playout delay % x", s.stream, data)
		case id == s.capture && (captured.Unmarshal(data) != nil ||
			time.Since(captured.CaptureTime()).Abs() > watcher.Timeout):
			p.t.Errorf("%s: captured % x", s.stream, data)
		}
	}
	p.checkOrigin(s, packet, begins)
}

// checkOrigin: whoever asks for it learns which frame a packet begins.
func (p *player) checkOrigin(s offered, packet *rtp.Packet, begins bool) {
	p.t.Helper()
	_, ok := origin.IDs{Frame: s.frame, Epoch: s.run}.Of(&packet.Header)
	if want := s.frame != 0 && begins; ok != want {
		p.t.Errorf("%s: says its origin: %v, want %v", s.stream, ok, want)
	}
}

// checkAudio reads packets of a section and compares them with what the microphone sent.
func (p *player) checkAudio(i int) {
	p.t.Helper()
	for _, packet := range p.receive(i, 3) {
		if int(packet.PayloadType) != p.sections[i].pt ||
			!bytes.Equal(packet.Payload, opusWord("head")) {
			p.t.Errorf("%s: payload type %d, payload %q", p.sections[i].stream, packet.PayloadType, packet.Payload)
		}
		p.checkExtensions(p.sections[i], packet, true)
	}
}

// check looks at all sections.
func (p *player) check(c *clips) {
	p.t.Helper()
	for i, s := range p.sections {
		switch {
		case s.idle:
		case s.stream.Name == Audio:
			p.checkAudio(i)
		default:
			p.checkVideo(i, c.picture(s.stream))
		}
	}
}
