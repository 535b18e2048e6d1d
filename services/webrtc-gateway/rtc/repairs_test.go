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

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// offerRTX adds to a section what offers repairs, as browsers have it: also for codecs that the gateway does not have.
func (s offered) offerRTX(m *sdp.MediaDescription) {
	if s.rtx == 0 {
		return
	}
	pt := strconv.Itoa(s.rtx)
	m.MediaName.Formats = append(m.MediaName.Formats, "126", "127", pt)
	for _, a := range [][2]string{{"rtpmap", "126 AV1/90000"}, {"rtpmap", "127 rtx/90000"}, {"fmtp", "127 apt=126"},
		{"rtpmap", pt + " RTX/90000"}, {"fmtp", pt + " rtx-time=3000; apt=" + strconv.Itoa(s.pt)}} {
		m.WithValueAttribute(a[0], a[1])
	}
}

// formats are the payload types of the answer.
func (s offered) formats() string {
	if s.rtx != 0 {
		return fmt.Sprintf("[%d %d]", s.pt, s.rtx)
	}
	return fmt.Sprintf("[%d]", s.pt)
}

// checkRepairs: a section that offers repairs gets them, under its numbers, with an SSRC of their own.
func (p *player) checkRepairs(s offered, m *sdp.MediaDescription, ssrc uint32) {
	p.t.Helper()
	group, _ := m.Attribute(sdp.AttrKeySSRCGroup)
	if s.rtx == 0 {
		if group != "" {
			p.t.Errorf("%s: a group of SSRCs %q, though no repairs are offered", s.stream, group)
		}
		return
	}
	var own, repairs uint32
	if _, err := fmt.Sscanf(group, "FID %d %d", &own, &repairs); err != nil || own != ssrc || repairs == ssrc {
		p.t.Errorf("%s: the group of SSRCs is %q, and the SSRC %d", s.stream, group, ssrc)
	}
	named := slices.ContainsFunc(m.Attributes, func(a sdp.Attribute) bool {
		return a.Key == sdp.AttrKeySSRC && strings.HasPrefix(a.Value, fmt.Sprint(repairs, " cname:"))
	})
	apt, _ := attributeOf(m, "fmtp", strconv.Itoa(s.rtx))
	name, _ := attributeOf(m, "rtpmap", strconv.Itoa(s.rtx))
	if !named || name != rtxName || apt != fmt.Sprint("apt=", s.pt) {
		p.t.Errorf("%s: repairs are named %v, called %q, and %q", s.stream, named, name, apt)
	}
}

// TestRepairs: what is missed comes in a stream of its own, with the same content and a transport-wide number of its
// own. The far end is pion's, which takes repairs apart.
func TestRepairs(t *testing.T) {
	e, c, _ := newStudio(t)
	p := newPlayer(t, e, []offered{{stream: left, pt: 45, fmtp: mode1, rtx: 46, extmap: []string{"9 delay", "7 cc"},
		delay: 9, number: 7}})
	p.checkVideo(0, c.picture(left))
	first, again := p.repaired(t)
	if first.Timestamp != again.Timestamp || first.Marker != again.Marker || !bytes.Equal(first.Payload, again.Payload) {
		t.Errorf("%v was sent again as %v", first, again)
	}
	if !bytes.Equal(first.GetExtension(9), again.GetExtension(9)) {
		t.Errorf("the extension % x was sent again as % x", first.GetExtension(9), again.GetExtension(9))
	}
	if a, b := first.GetExtension(7), again.GetExtension(7); len(a) != 2 || len(b) != 2 || bytes.Equal(a, b) {
		t.Errorf("the transport-wide number is % x, and % x again", a, b)
	}
}

// repaired misses every packet until one comes again, and returns both.
func (p *player) repaired(t *testing.T) (first, again *rtp.Packet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	before := make(map[uint16]*rtp.Packet)
	for {
		packet, err := p.far.Packet(ctx)
		if err != nil {
			t.Fatal("nothing was sent again: ", err)
		}
		if first := before[packet.SequenceNumber]; first != nil {
			return first, packet
		}
		before[packet.SequenceNumber] = packet
		if err := p.far.Miss(p.ssrcs[0], packet.SequenceNumber); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReportsAboutRepairs: browsers address what they report about the connection to the stream that they heard last,
// which may be that of repairs.
func TestReportsAboutRepairs(t *testing.T) {
	e, _, _ := newStudio(t)
	p := newPlayer(t, e, []offered{{stream: left, pt: 45, fmtp: mode1, rtx: 46, extmap: []string{"7 cc"}, number: 7}})
	p.near.mu.Lock()
	ssrc := p.near.shown["0"].repairs.ssrc
	p.near.mu.Unlock()
	estimate := []rtcp.Packet{&rtcp.ReceiverEstimatedMaximumBitrate{SSRCs: []uint32{uint32(ssrc)}, Bitrate: 1_234_000}}
	p.receive(0, 1) // it is connected
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(watcher.Timeout)
	for p.near.Path().Available() != 1_234_000 {
		if err := p.far.PC.WriteRTCP(estimate); err != nil {
			t.Fatal(err)
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatal("the estimate was not read")
		}
	}
}
