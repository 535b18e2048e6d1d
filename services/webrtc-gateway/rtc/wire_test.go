package rtc

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/rtp/origin"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// What far ends receive is compared with what was negotiated, packet by packet, for offers whose numbers are nobody
// else's.

// offered is a section as the far end offers it.
type offered struct {
	stream tracks.Stream
	pt     int
	codec  string // of rtpmap; empty: H264/90000, or Opus for sound
	fmtp   string
	extmap []string // "3 delay" or "4/recvonly capture"
	// What is to be received: the numbers of the header extensions, 0 for none.
	delay, capture, frame, run uint8
	number                     uint8 // of the transport-wide number; then feedback about it is offered as well
	rtx                        int   // payload type of packets sent again, 0: none
	idle                       bool  // it is offered, but not for anything
	rejected                   bool  // it shares no codec
}

// name is what rtpmap calls the codec.
func (s offered) name() string {
	if s.codec != "" {
		return s.codec
	}
	return map[string]string{Video: "H264/90000", Audio: opusName, Speaker: opusName}[s.stream.Name]
}

const mode1 = "packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1"

func cameraAt(name string) tracks.Stream { return tracks.Stream{Device: name, Name: Video} }

var (
	left, right = cameraAt("left"), cameraAt("right")
	head        = tracks.Stream{Device: "head", Name: Audio}
)

var uris = strings.NewReplacer(" delay", " "+tracks.PlayoutDelayURI, " capture", " "+tracks.AbsCaptureTimeURI,
	" frame", " "+origin.FrameURI, " run", " "+origin.EpochURI, " mid", " "+sdp.SDESMidURI, " cc", " "+tracks.TransportURI)

// numberings are offers by what is odd about their numbers.
var numberings = []struct {
	name     string
	sections []offered
}{
	{"as a Python peer has it", []offered{{stream: left, pt: 99, fmtp: mode1, extmap: []string{"1 mid", "2 cc"}}}},
	{"as a browser has it that takes one profile", []offered{
		{stream: left, pt: 108, fmtp: mode1, extmap: []string{"5 delay", "11 capture", "4 mid"}, delay: 5, capture: 11}}},
	{"the numbers of the other kind", []offered{
		{stream: left, pt: 111, fmtp: mode1, extmap: []string{"2 delay", "1 capture"}, delay: 2, capture: 1},
		{stream: head, pt: 102, extmap: []string{"1 mid"}}}},
	{"as a Go peer has it", []offered{
		{stream: left, pt: 102, fmtp: mode1, extmap: []string{"1 frame", "2 run"}, frame: 1, run: 2},
		{stream: head, pt: 111, extmap: []string{"1 frame", "2 run", "3 capture"}, frame: 1, run: 2}}},
	{"only sound", []offered{{stream: head, pt: 63}}},
	{"sound without its channels", []offered{{stream: head, pt: 63, codec: "OPUS/48000"}}},
	{"two cameras with numbers of their own", []offered{
		{stream: left, pt: 35, fmtp: mode1, extmap: []string{"3 delay", "4 capture"}, delay: 3, capture: 4},
		{stream: right, pt: 127, fmtp: mode1, extmap: []string{"7 delay", "8 capture"}, delay: 7, capture: 8},
		{stream: head, pt: 100}}},
	{"one number for two extensions, each in its section", []offered{
		{stream: left, pt: 96, fmtp: mode1, extmap: []string{"3 delay"}, delay: 3},
		{stream: right, pt: 97, fmtp: mode1, extmap: []string{"3 capture"}, capture: 3}}},
	{"extensions of sound under the numbers of video", []offered{
		{stream: head, pt: 96, extmap: []string{"3 capture", "4 delay"}},
		{stream: left, pt: 97, fmtp: mode1, extmap: []string{"3 delay", "4 capture"}, delay: 3, capture: 4}}},
	{"one has an extension, the other has none", []offered{
		{stream: left, pt: 96, fmtp: mode1},
		{stream: right, pt: 96, fmtp: mode1, extmap: []string{"9 delay"}, delay: 9}}},
	{"long numbers", []offered{{stream: left, pt: 98, fmtp: mode1, extmap: []string{"16 delay", "200 capture"}, delay: 16,
		capture: 200}}},
	{"a long and a short number", []offered{{stream: left, pt: 98, fmtp: mode1, extmap: []string{"20 delay", "3 capture"},
		delay: 20, capture: 3}}},
	{"numbers that cannot be", []offered{{stream: left, pt: 98, fmtp: mode1,
		extmap: []string{"15 delay", "4096 capture"}}}},
	{"one number twice", []offered{{stream: left, pt: 98, fmtp: mode1, extmap: []string{"3 delay", "3 mid", "4 capture"},
		capture: 4}}},
	{"one extension twice", []offered{{stream: left, pt: 98, fmtp: mode1, extmap: []string{"3 delay", "5 delay"},
		delay: 3}}},
	{"directions", []offered{
		{stream: left, pt: 98, fmtp: mode1, extmap: []string{"3/sendonly delay", "4/recvonly capture"}, capture: 4},
		{stream: right, pt: 98, fmtp: mode1, extmap: []string{"3/inactive capture", "4/sendrecv delay"}, delay: 4}}},
	{"the first section has another codec and is for nothing", []offered{
		{stream: left, pt: 120, codec: "AV1/90000", extmap: []string{"3 capture"}, idle: true, rejected: true},
		{stream: right, pt: 121, fmtp: mode1, extmap: []string{"3 delay"}, delay: 3}}},
	{"the first section is for nothing", []offered{
		{stream: left, pt: 120, fmtp: mode1, extmap: []string{"3 capture"}, idle: true},
		{stream: right, pt: 121, fmtp: mode1, extmap: []string{"3 delay"}, delay: 3}}},
	{"the second section is for nothing", []offered{
		{stream: left, pt: 96, fmtp: mode1, extmap: []string{"3 delay"}, delay: 3},
		{stream: right, pt: 99, fmtp: mode1, extmap: []string{"3 delay"}, idle: true},
		{stream: head, pt: 63, codec: "opus/48000", idle: true}}},
	{"the second section has another codec and is for nothing", []offered{
		{stream: left, pt: 96, fmtp: mode1, extmap: []string{"3 delay"}, delay: 3},
		{stream: right, pt: 97, codec: "AV1/90000", idle: true, rejected: true},
		{stream: head, pt: 8, codec: "PCMA/8000", idle: true, rejected: true}}},
	{"all sections but the last have other codecs", []offered{
		{stream: head, pt: 0, codec: "PCMU/8000", idle: true, rejected: true},
		{stream: left, pt: 99, fmtp: "packetization-mode=2", idle: true, rejected: true},
		{stream: right, pt: 98, fmtp: mode1}}},
	{"transport-wide numbers as a browser has them", []offered{
		{stream: left, pt: 108, fmtp: mode1, extmap: []string{"4 cc", "5 delay", "13 capture"}, number: 4, delay: 5, capture: 13},
		{stream: head, pt: 111, extmap: []string{"3 cc"}, number: 3}}},
	{"transport-wide numbers for one of two, and in the long form", []offered{
		{stream: left, pt: 96, fmtp: mode1, extmap: []string{"4 cc", "20 delay"}, number: 4, delay: 20},
		{stream: right, pt: 97, fmtp: mode1, extmap: []string{"4 cc"}}}},
	{"repairs, each under the numbers of its section", []offered{
		{stream: left, pt: 96, fmtp: mode1, rtx: 97, extmap: []string{"3 cc"}, number: 3},
		{stream: right, pt: 98, fmtp: mode1, rtx: 99}, {stream: head, pt: 111}}},
	{"no packetization mode", []offered{{stream: left, pt: 96, extmap: []string{"3 delay"}, delay: 3}}},
	{"mode 0", []offered{{stream: left, pt: 96, fmtp: "packetization-mode=0"}}},
}

// number writes the numbers into an offer of a far end that has so many sections.
func number(t testing.TB, text string, sections []offered) string {
	t.Helper()
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		t.Fatal(err)
	}
	for i, s := range sections {
		m := d.MediaDescriptions[i]
		drop(m, "rtpmap", "fmtp", "rtcp-fb", sdp.AttrKeyExtMap)
		pt := strconv.Itoa(s.pt)
		m.MediaName.Formats = []string{pt}
		m.WithValueAttribute("rtpmap", pt+" "+s.name())
		if s.fmtp != "" {
			m.WithValueAttribute("fmtp", pt+" "+s.fmtp)
		}
		m.WithValueAttribute("rtcp-fb", pt+" nack")
		s.offerRTX(m)
		if s.number != 0 {
			m.WithValueAttribute("rtcp-fb", pt+" goog-remb")
			m.WithValueAttribute("rtcp-fb", pt+" transport-cc")
		}
		for _, e := range s.extmap {
			m.WithValueAttribute(sdp.AttrKeyExtMap, uris.Replace(e))
		}
	}
	out, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

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
	for uri, id := range map[string]uint8{tracks.TransportURI: s.number, tracks.PlayoutDelayURI: s.delay, tracks.AbsCaptureTimeURI: s.capture,
		origin.FrameURI: s.frame, origin.EpochURI: s.run} {
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

func TestNumbersOnTheWire(t *testing.T) {
	e, c, _ := newStudio(t)
	for _, tt := range numberings {
		t.Run(tt.name, func(t *testing.T) { newPlayer(t, e, tt.sections).check(c) })
	}
}

// TestResentUnderTheSameNumbers: what is sent again is what was sent, to the bit. Each picture is a key frame, so only
// the newest one is of use to the far end.
func TestResentUnderTheSameNumbers(t *testing.T) {
	e, c, _ := newStudio(t)
	p := newPlayer(t, e, []offered{{stream: left, pt: 45, fmtp: mode1, extmap: []string{"9 delay", "6 capture", "7 cc"},
		delay: 9, capture: 6, number: 7}})
	p.checkVideo(0, c.picture(left))
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	before := make(map[uint16][]byte)
	for {
		packet, err := p.far.Packet(ctx)
		if err != nil {
			t.Fatal("nothing was sent again: ", err)
		}
		data, _ := packet.Marshal()
		if first, again := before[packet.SequenceNumber]; again {
			if !bytes.Equal(first, data) {
				t.Errorf("sent % x, and again % x", first, data)
			}
			return
		}
		before[packet.SequenceNumber] = data
		if err := p.far.Miss(p.ssrcs[0], packet.SequenceNumber); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTransportNumbers: the packets of all sections are counted together.
func TestTransportNumbers(t *testing.T) {
	e, _, _ := newStudio(t)
	p := newPlayer(t, e, []offered{
		{stream: left, pt: 99, fmtp: mode1, extmap: []string{"5 cc"}, number: 5},
		{stream: head, pt: 111, extmap: []string{"8 cc"}, number: 8}})
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	numbers, kinds := make(map[uint16]bool), make(map[uint32]int)
	for len(numbers) < 60 || len(kinds) < 2 {
		packet, err := p.far.Packet(ctx)
		if err != nil {
			t.Fatalf("%d packets came, from %d sections: %v", len(numbers), len(kinds), err)
		}
		id := uint8(5)
		if packet.SSRC == p.ssrcs[1] {
			id = 8
		}
		number := binary.BigEndian.Uint16(packet.GetExtension(id))
		if numbers[number] {
			t.Errorf("two packets have the number %d", number)
		}
		numbers[number] = true
		kinds[packet.SSRC]++
	}
	for n := range uint16(len(numbers)) { // a packet of another section may have overtaken the last few
		if !numbers[n] && int(n) < len(numbers)-5 {
			t.Errorf("no packet has the number %d", n)
		}
	}
	if got := p.near.Path().Snapshot().Sent; got == 0 {
		t.Error("nothing was noted as sent")
	}
}

// TestNumbersChange: a later offer may have other numbers. The track goes on under them.
func TestNumbersChange(t *testing.T) {
	e, c, _ := newStudio(t)
	p := newPlayer(t, e, []offered{
		{stream: left, pt: 99, fmtp: mode1, extmap: []string{"5 delay"}, delay: 5}, {stream: head, pt: 111}})
	p.check(c)
	ssrcs := slices.Clone(p.ssrcs)
	for _, sections := range [][]offered{
		{{stream: left, pt: 108, fmtp: mode1, extmap: []string{"6 delay", "7 capture"}, delay: 6, capture: 7},
			{stream: head, pt: 96}},
		{{stream: right, pt: 109, fmtp: mode1}, {stream: head, pt: 96}},
	} {
		p.negotiate(sections)
		p.settle()
		p.check(c)
		if !slices.Equal(p.ssrcs, ssrcs) {
			t.Errorf("SSRCs %v, were %v", p.ssrcs, ssrcs)
		}
	}
}

// TestReports: players tell from sender reports when what they play was sent.
func TestReports(t *testing.T) {
	e, c, _ := newStudio(t)
	p := newPlayer(t, e, []offered{{stream: left, pt: 99, fmtp: mode1}, {stream: head, pt: 96}})
	p.check(c)
	for i, transceiver := range p.far.PC.GetTransceivers() {
		if err := transceiver.Receiver().SetReadDeadline(time.Now().Add(watcher.Timeout)); err != nil {
			t.Fatal(err)
		}
		packets, _, err := transceiver.Receiver().ReadRTCP()
		if err != nil {
			t.Fatalf("section %d: %v", i, err)
		}
		report, ok := packets[0].(*rtcp.SenderReport)
		if !ok || report.SSRC != p.ssrcs[i] || report.PacketCount == 0 {
			t.Errorf("section %d: %v", i, packets)
		}
	}
}
