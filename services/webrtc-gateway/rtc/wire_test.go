package rtc

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/sdp/v3"

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
		{stream: left, pt: 108, fmtp: mode1, extmap: []string{"4 cc", "5 delay", "13 capture"},
			number: 4, delay: 5, capture: 13},
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
