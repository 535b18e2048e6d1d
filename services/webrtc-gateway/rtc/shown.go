package rtc

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// shown is what one media section sends to the far end.
type shown struct {
	source  tracks.Stream
	numbers numbers
	track   atomic.Pointer[tracks.Track]
	repairs *repairs          // nil if the far end never wanted any
	sender  *webrtc.RTPSender // nil until the section is negotiated
	agreed  bool              // the negotiation is complete
}

// hide ends the tracks that are no longer wanted.
func (p *Peer) hide(wanted []*section) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mid, s := range p.shown {
		if slices.ContainsFunc(wanted, func(s *section) bool { return s.MID == mid && !s.incoming() }) {
			continue
		}
		delete(p.shown, mid)
		p.viewer.Hide(mid)
		if s.sender != nil {
			_ = p.pc.RemoveTrack(s.sender) // fails only when the connection is closed
		}
		s.repairs.end()
		s.track.Load().Close()
	}
}

// descriptionPatience is how long an answer waits to learn which streams a device has, if the far end lacks the usual
// codec: devices describe themselves once a second.
const descriptionPatience = 1500 * time.Millisecond

// profilePatience is how long an answer waits to learn the profile of what a camera passes through, see
// [tracks.Track.Profile].
const profilePatience = time.Second

// probes are tracks that were opened to find out what suits a far end.
type probes map[*section]*tracks.Track

func (p probes) close() {
	for _, t := range p {
		t.Close()
	}
}

// choose picks the stream and the codec of each section that suit both ends best. The tracks it opens to find that out
// are closed by release, which is called once the sections have opened theirs.
func (p *Peer) choose(ctx context.Context, sections []*section) (release func(), err error) {
	opened := make(probes)
	describing, cancel := context.WithTimeout(ctx, descriptionPatience)
	defer cancel()
	for _, s := range sections {
		if err = p.chooseSource(describing, s, nil); err == nil {
			err = p.probe(ctx, s, opened)
		}
		if err != nil {
			opened.close()
			return nil, err
		}
	}
	profiling, cancel := context.WithTimeout(ctx, profilePatience)
	defer cancel()
	for _, s := range sections {
		if p.settle(profiling, s, opened[s]) {
			continue
		}
		if err := p.chooseOther(profiling, s, opened); err != nil {
			opened.close()
			return nil, err
		}
	}
	return opened.close, nil
}

// probe opens the stream of a section if the codec parameters that suit it depend on its profile.
func (p *Peer) probe(ctx context.Context, s *section, opened probes) error {
	if s.incoming() || !s.chosen.HasProfiles() {
		return nil
	}
	t, err := p.engine.newTrack(ctx, s)
	if err != nil {
		return err
	}
	if before := opened[s]; before != nil {
		before.Close()
	}
	opened[s] = t
	return nil
}

// settle picks the codec parameters of a section. It returns false if the far end's decoder is not up to the stream.
func (p *Peer) settle(ctx context.Context, s *section, probe *tracks.Track) (ok bool) {
	var profile codecs.Profile
	if probe != nil {
		profile = probe.Profile(ctx, s.chosen)
	}
	if s.codec, ok = s.chosen.Choose(listed(s.content), profile); !ok {
		s.codec, _ = s.chosen.Choose(listed(s.content), "") // chooseSource made sure of one
	}
	return ok
}

// chooseOther picks another codec for a section whose far end is not up to the stream in the chosen one. If there is
// none it leaves the section as it is: some decode more than they say.
func (p *Peer) chooseOther(ctx context.Context, s *section, opened probes) error {
	before := *s
	if p.chooseSource(ctx, s, s.chosen) != nil {
		return nil
	}
	if err := p.probe(ctx, s, opened); err != nil {
		return err
	}
	if !p.settle(ctx, s, opened[s]) {
		*s = before
	}
	return nil
}

// chooseSource picks the stream of a section, or an alternative to it in a codec that the far end accepts; not in the
// codec that is ruled out.
func (p *Peer) chooseSource(ctx context.Context, s *section, out *codecs.Codec) error {
	if s.incoming() {
		return s.chooseIncoming(out)
	}
	takes := func(c *codecs.Codec) bool {
		_, ok := c.Choose(listed(s.content), "")
		return ok && c != out
	}
	source, chosen, err := p.engine.hub.Choose(ctx, s.kind(), s.Stream, takes, names(s.content))
	if err == nil {
		s.source, s.chosen = source, chosen
	}
	return err
}

// newTrack opens a section's stream. Far ends synchronize the tracks of one media stream by delaying them, so audio and
// video must not share one.
func (e *Engine) newTrack(ctx context.Context, s *section) (*tracks.Track, error) {
	id := s.source.Device
	if s.kind() == webrtc.RTPCodecTypeAudio {
		id += ".audio"
	}
	t, err := e.hub.NewTrack(ctx, s.kind(), s.source, id)
	if err != nil {
		return nil, err
	}
	t.SendBy(e.udp)
	return t, nil
}

// open opens the streams that are new, so that they run by the time the connection is up.
func (p *Peer) open(ctx context.Context, wanted []*section) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return status.Error(codes.Unavailable, "the connection is closed: make a new one")
	}
	for _, s := range wanted {
		if s.Sink != nil {
			p.sinks[s.MID] = s.Sink
		}
		if s.incoming() && s.Stream.Name != Speaker {
			continue
		}
		if s.Stream.Name == Speaker {
			if err := p.speak(s.Track); err != nil {
				return err
			}
			continue
		}
		if err := p.hold(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// hold opens a section's stream if the stream or its numbers are new; p.mu is held.
func (p *Peer) hold(ctx context.Context, wanted *section) error {
	s := p.shown[wanted.MID]
	if s != nil && s.source == wanted.source && s.numbers.same(wanted.numbers) {
		return nil
	}
	t, err := p.engine.newTrack(ctx, wanted)
	if err != nil {
		return err
	}
	t.Over(p.path)
	t.DrivenBy(func() bool { return p.viewer.Commands(time.Now()) })
	t.Delay(p.playout)
	if s == nil {
		s = &shown{}
	}
	s.source, s.numbers = wanted.source, wanted.numbers
	if err := p.repairIn(s, t); err != nil {
		t.Close()
		return err
	}
	p.shown[wanted.MID] = s
	if err := s.show(t); err != nil {
		return status.Errorf(codes.Internal, "section %s: %v", wanted.MID, err)
	}
	if t.Kind() == webrtc.RTPCodecTypeVideo {
		p.viewer.Show(wanted.MID, s.source, steered{t})
	}
	return nil
}

// local is the track that pion gets.
func (s *shown) local() webrtc.TrackLocal { return &numbered{s.track.Load(), s.numbers} }

// show puts a track into the section. It continues where a previous one stopped, with the same SSRC.
func (s *shown) show(t *tracks.Track) error {
	old := s.track.Swap(t)
	if old == nil {
		return nil
	}
	old.Close()
	t.Follow(old)
	if s.sender == nil {
		return nil
	}
	return s.sender.ReplaceTrack(s.local())
}

// attach sets the codecs of an offer, and gives new tracks to their media sections.
//
// AddTrack makes the senders: only then do the interceptors, which send the reports, know about them. It takes the
// first section that may send and has no sender yet. This loop visits the sections in the same order, and unused
// sections and voices do not send, so the section it takes is the current one.
func (p *Peer) attach(o *offer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.pc.GetTransceivers() {
		wanted, ok := o.common(t.Mid())
		if !ok {
			continue
		}
		if err := t.SetCodecPreferences([]webrtc.RTPCodecParameters{wanted.codec}); err != nil {
			return status.Errorf(codes.Internal, "section %s: %v", t.Mid(), err)
		}
		s := p.shown[t.Mid()]
		if s == nil || s.sender != nil {
			continue
		}
		sender, err := p.pc.AddTrack(s.local())
		if err == nil && sender != t.Sender() {
			err = errors.New("its track was added to another section")
		}
		if err != nil {
			return status.Errorf(codes.Internal, "section %s: %v", t.Mid(), err)
		}
		s.sender = sender
		p.ended.Go(func() { p.listen(s, sender) })
	}
	return nil
}

// listen reads the far end's RTCP for a track until the track ends. Somebody has to read it in any case.
func (p *Peer) listen(s *shown, sender *webrtc.RTPSender) {
	buffer := make([]byte, 1500)
	for {
		n, read, err := sender.Read(buffer)
		if err != nil {
			return
		}
		packets, err := read.GetRTCPPackets(buffer[:n]) // which the interceptors have read already
		if err != nil {
			continue // garbage, or from a newer standard
		}
		p.path.RTCP(packets, time.Now())
		s.track.Load().HandleRTCP(packets)
	}
}
