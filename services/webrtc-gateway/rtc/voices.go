package rtc

import (
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

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

// hush ends the voices and forgets the sinks that are no longer wanted.
func (p *Peer) hush(wanted []*section) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mid, v := range p.voices {
		if !slices.ContainsFunc(wanted, func(s *section) bool { return s.MID == mid && s.Stream.Name == Speaker }) {
			delete(p.voices, mid)
			v.Close()
		}
	}
	for mid := range p.sinks {
		if !slices.ContainsFunc(wanted, func(s *section) bool { return s.MID == mid && s.Sink != nil }) {
			delete(p.sinks, mid)
		}
	}
}
