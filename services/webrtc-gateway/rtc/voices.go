package rtc

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
)

// maxDatagram is the largest packet that is received, in bytes.
const maxDatagram = 1500

// speak opens the voice of a section. A new talker name or device makes it a new voice. p.mu is held.
func (p *Peer) speak(t Track) error {
	if p.engine.voices == nil {
		return status.Error(codes.FailedPrecondition, "this gateway accepts no audio")
	}
	talker := t.Talker
	if talker == "" {
		talker = p.id
	}
	if v := p.voices[t.MID]; v != nil {
		if v.Is(t.Stream.Device, talker) {
			return nil
		}
		v.Close()
	}
	p.voices[t.MID] = p.engine.voices.Open(t.Stream.Device, talker)
	return nil
}

// hush ends the voices that are no longer wanted.
func (p *Peer) hush(wanted []*section) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mid, v := range p.voices {
		if !slices.ContainsFunc(wanted, func(s *section) bool { return s.MID == mid && s.Stream.Name == Speaker }) {
			delete(p.voices, mid)
			v.Close()
		}
	}
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

// pass delivers what arrives on a track to its voice, until the track ends.
func (p *Peer) pass(track *webrtc.TrackRemote, mid string) {
	buffer := make([]byte, maxDatagram)
	for {
		n, _, err := track.Read(buffer)
		unknown := errors.Is(err, webrtc.ErrCodecNotFound) // a payload type that was not negotiated
		if err != nil && !unknown {
			return
		}
		v := p.voice(mid)
		if v == nil {
			continue // it has ended, or is not wanted
		}
		var packet rtp.Packet
		if unknown || !strings.EqualFold(track.Codec().MimeType, talk.MediaType) || packet.Unmarshal(buffer[:n]) != nil {
			v.Garbage()
			continue
		}
		v.Accept(&packet.Header, packet.Payload, time.Now())
	}
}

func (p *Peer) voice(mid string) *talk.Voice {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.voices[mid]
}
