package rtc

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// A section whose far end offers RTX (RFC 4588) gets a stream of repairs: what it missed is sent again with an SSRC and
// sequence numbers of their own. So a retransmission has its own transport-wide number, and never goes out as a second
// packet under the same key and sequence number; see package tracks. Pion is not told of it, because pion keeps one
// table of codecs per connection, and repairs have the payload types of their section. They have a sender of their own,
// without interceptors, so that sender reports cover the section's stream alone.

// repairs are the repairs of one section.
type repairs struct {
	track  *tracks.Repairs
	sender *webrtc.RTPSender
	ssrc   webrtc.SSRC
}

// settleRepairs decides, once the codec is chosen, whether what the far end misses is sent in a stream of its own. A
// section that carries media both ways has none: its far end would send repairs too.
func (s *section) settleRepairs() {
	s.repairType = 0
	if s.kind() == webrtc.RTPCodecTypeVideo && s.Sink == nil && !s.incoming() && s.feedback("nack") {
		s.repairType = rtxOf(s.content, s.codec.PayloadType)
	}
}

// rtxOf returns the payload type by which a section has packets of another one sent again; 0 if there is none.
func rtxOf(m *sdp.MediaDescription, of webrtc.PayloadType) webrtc.PayloadType {
	for _, format := range m.MediaName.Formats {
		pt, err := strconv.ParseUint(format, 10, 7)
		name, _ := attributeOf(m, "rtpmap", format)
		if err != nil || pt == 0 || webrtc.PayloadType(pt) == of || !strings.EqualFold(name, rtxName) {
			continue
		}
		fmtp, _ := attributeOf(m, "fmtp", format)
		for parameter := range strings.SplitSeq(fmtp, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			if apt, err := strconv.ParseUint(value, 10, 7); key == "apt" && err == nil && webrtc.PayloadType(apt) == of {
				return webrtc.PayloadType(pt)
			}
		}
	}
	return 0
}

const rtxName = "rtx/90000"

// repairIn gives a track the repairs of its section, if the far end wants them; p.mu is held.
func (p *Peer) repairIn(s *shown, t *tracks.Track) error {
	if s.numbers.repairType == 0 {
		return nil
	}
	if s.repairs == nil {
		r, err := p.newRepairs(s.source.Device)
		if err != nil {
			return status.Errorf(codes.Internal, "make a stream of repairs: %v", err)
		}
		s.repairs = r
	}
	t.RepairIn(s.repairs.track, s.numbers.repairType)
	return nil
}

func (p *Peer) newRepairs(id string) (*repairs, error) {
	r := &repairs{track: tracks.NewRepairs(id)}
	var err error
	if r.sender, err = p.api.NewRTPSender(r.track, p.pc.SCTP().Transport()); err != nil {
		return nil, err
	}
	parameters := r.sender.GetParameters()
	r.ssrc = parameters.Encodings[0].SSRC
	if err := r.sender.Send(parameters); err != nil {
		return nil, err
	}
	p.ended.Go(func() { p.listenRepairs(r.sender) })
	return r, nil
}

// listenRepairs reads the far end's RTCP about repairs until they end. Browsers address what they report of the whole
// connection to the stream that they heard last.
func (p *Peer) listenRepairs(sender *webrtc.RTPSender) {
	buffer := make([]byte, maxDatagram)
	for {
		n, _, err := sender.Read(buffer)
		if err != nil {
			return
		}
		if packets, err := rtcp.Unmarshal(buffer[:n]); err == nil { // otherwise garbage, or from a newer standard
			p.path.RTCP(packets, time.Now())
		}
	}
}

// end ends the repairs of a section, if it has any.
func (r *repairs) end() {
	if r != nil {
		_ = r.sender.Stop() // fails only when the connection is closed
	}
}

// repairedBy returns the SSRC in which packets of a section are sent again; false if they have none.
func (p *Peer) repairedBy(mid string) (ssrc webrtc.SSRC, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shown[mid]
	if s == nil || s.repairs == nil || s.numbers.repairType == 0 {
		return 0, false
	}
	return s.repairs.ssrc, true
}

// answerRepairs adds the stream of repairs to the answer of a section.
func (s *section) answerRepairs(answer *sdp.MediaDescription, ssrc webrtc.SSRC) {
	pt := strconv.Itoa(int(s.repairType))
	answer.MediaName.Formats = append(answer.MediaName.Formats, pt)
	answer.WithValueAttribute("rtpmap", pt+" "+rtxName)
	answer.WithValueAttribute("fmtp", pt+" apt="+strconv.Itoa(int(s.codec.PayloadType)))
	own, repairs := "", strconv.FormatUint(uint64(ssrc), 10)
	for _, a := range slices.Clone(answer.Attributes) {
		of, about, ok := strings.Cut(a.Value, " ")
		if a.Key != sdp.AttrKeySSRC || !ok {
			continue
		}
		own = of
		answer.WithValueAttribute(sdp.AttrKeySSRC, repairs+" "+about)
	}
	answer.WithValueAttribute(sdp.AttrKeySSRCGroup, "FID "+own+" "+repairs)
}
