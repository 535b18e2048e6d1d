package rtc

import (
	"errors"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
)

// maxDatagram is the largest packet that is received, in bytes.
const maxDatagram = 1500

// Sink takes what a far end sends in a media section. Its methods are called from one goroutine at a time and must not
// block. A sink must be comparable. It may be used by one section only. The peer does not close it: what opened it
// waits for [Peer.Done].
type Sink interface {
	// Begin announces a track, before its packets. Another one may follow.
	Begin(Incoming)
	// Accept takes a packet, in the order of arrival. The payload is valid during the call only.
	Accept(h *rtp.Header, payload []byte, now time.Time)
	// Garbage counts a packet that cannot be read.
	Garbage()
}

// Incoming is a track that a far end sends.
type Incoming struct {
	Codec *codecs.Codec
	SSRC  uint32
	// Report sends RTCP about the track to the far end.
	Report func(...rtcp.Packet)
}

// chooseIncoming picks the codec in which the far end sends, the one that the gateway prefers; not the one that is
// ruled out.
func (s *section) chooseIncoming(out *codecs.Codec) error {
	c, ok := received(s.content, s.kind())
	if !ok || c == out {
		return status.Errorf(codes.FailedPrecondition,
			"section %s offers no codec that the gateway accepts: that is %s, and "+
				"the section lists %s", s.MID, codecs.Takes(s.kind()), names(s.content))
	}
	s.chosen = c
	return nil
}

// hear is called by pion when the first packet of a track arrives.
func (p *Peer) hear(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, t := range p.pc.GetTransceivers() {
		if t.Receiver() == receiver {
			mid := t.Mid()
			p.ended.Go(func() { p.pass(track, mid) })
			return
		}
	}
}

// pass delivers what arrives on a track to its sink, until the track ends.
func (p *Peer) pass(track *webrtc.TrackRemote, mid string) {
	buffer := make([]byte, maxDatagram)
	var begun Sink
	for {
		n, _, err := track.Read(buffer)
		unknown := errors.Is(err, webrtc.ErrCodecNotFound) // a payload type that was not negotiated
		if err != nil && !unknown {
			return
		}
		sink := p.sink(mid)
		if sink == nil {
			continue // it has ended, or is not wanted
		}
		codec := codecs.Of(track.Codec().MimeType)
		var packet rtp.Packet
		if unknown || codec == nil || packet.Unmarshal(buffer[:n]) != nil {
			sink.Garbage()
			continue
		}
		if sink != begun {
			sink.Begin(Incoming{Codec: codec, SSRC: uint32(track.SSRC()), Report: p.report})
			begun = sink
		}
		sink.Accept(&packet.Header, packet.Payload, time.Now())
	}
}

// report sends RTCP to the far end, if it is still there.
func (p *Peer) report(packets ...rtcp.Packet) { _ = p.pc.WriteRTCP(packets) }

// sink returns what takes the media of a section, nil if it is not wanted.
func (p *Peer) sink(mid string) Sink {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.sinks[mid]; s != nil {
		return s
	}
	if v := p.voices[mid]; v != nil {
		return Voice{v}
	}
	return nil
}

// Voice is the sink of a voice.
type Voice struct{ *talk.Voice }

// Begin implements [Sink].
func (Voice) Begin(Incoming) {}
