package rtc

import (
	"slices"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/relay"
)

// outlet is a track that shows a stream to one peer, or lets it be heard.
type outlet interface {
	webrtc.TrackLocal
	// Start lets it flow.
	Start()
	// Follow makes it take over the track of another.
	Follow(old webrtc.TrackLocal)
	// HandleRTCP deals with what the peer says of the track.
	HandleRTCP(packets []rtcp.Packet)
	// Close ends it, and returns when it has ended.
	Close()
}

// shown is what one media section shows, or lets be heard.
type shown struct {
	stream relay.Stream
	outlet atomic.Pointer[outlet]
	sender *webrtc.RTPSender // nil until the section is negotiated
	agreed bool              // the negotiation is over
}

func (s *shown) get() outlet { return *s.outlet.Load() }

// newOutlet opens the stream of a track.
func (e *Engine) newOutlet(t Track) (outlet, error) {
	if t.media() == "video" {
		return e.hub.NewViewer(t.Stream, t.Stream.Device)
	}
	if e.sounds == nil {
		return nil, status.Error(codes.FailedPrecondition, "nothing is to be heard from this gateway")
	}
	// Far ends hold back the tracks of one media stream until they fit each other, so sound and video must not share one.
	return e.sounds.NewListener(t.Stream, t.Stream.Device+".audio")
}

// hide ends the tracks that are not wanted any more.
func (p *Peer) hide(wanted []Track) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mid, s := range p.shown {
		if slices.ContainsFunc(wanted, func(t Track) bool { return t.MID == mid && t.Stream.Name != Speaker }) {
			continue
		}
		delete(p.shown, mid)
		if s.sender != nil {
			_ = p.pc.RemoveTrack(s.sender) // fails only when the connection is closed
		}
		s.get().Close()
	}
}

// open opens the streams that are new, so that they run by the time the connection is made.
func (p *Peer) open(wanted []Track) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return status.Error(codes.Unavailable, "the connection is closed: make a new one")
	}
	for _, t := range wanted {
		if t.Stream.Name == Speaker {
			if err := p.speak(t); err != nil {
				return err
			}
			continue
		}
		if err := p.hold(t); err != nil {
			return err
		}
	}
	return nil
}

// hold opens what a section shows, if that is new; p.mu is held.
func (p *Peer) hold(t Track) error {
	s := p.shown[t.MID]
	if s != nil && s.stream == t.Stream {
		return nil
	}
	o, err := p.engine.newOutlet(t)
	if err != nil {
		return err
	}
	if s == nil {
		s = &shown{}
		p.shown[t.MID] = s
	}
	s.stream = t.Stream
	if err := s.show(o); err != nil {
		return status.Errorf(codes.Internal, "section %s: %v", t.MID, err)
	}
	return nil
}

// show puts o into the section. If there was another, o takes over its track, with its SSRC.
func (s *shown) show(o outlet) error {
	old := s.outlet.Swap(&o)
	if old == nil {
		return nil
	}
	(*old).Close()
	o.Follow(*old)
	if s.sender == nil {
		return nil
	}
	return s.sender.ReplaceTrack(o)
}

// attach gives new outlets to their media sections. It does not leave the choice of the section to pion, which might take one that
// receives.
func (p *Peer) attach() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.pc.GetTransceivers() {
		s := p.shown[t.Mid()]
		if s == nil || s.sender != nil {
			continue
		}
		sender, err := p.engine.api.NewRTPSender(s.get(), p.pc.SCTP().Transport())
		if err != nil {
			return status.Errorf(codes.Internal, "section %s: %v", t.Mid(), err)
		}
		if err := t.SetSender(sender, s.get()); err != nil {
			_ = sender.Stop() // it was never used
			return status.Errorf(codes.Internal, "section %s: %v", t.Mid(), err)
		}
		s.sender = sender
		p.ended.Go(func() { s.listen(sender) })
	}
	return nil
}

// listen reads what the far end says of a track, until the track ends. It has to be read in any case.
func (s *shown) listen(sender *webrtc.RTPSender) {
	buffer := make([]byte, 1500)
	for {
		n, _, err := sender.Read(buffer)
		if err != nil {
			return
		}
		if packets, err := rtcp.Unmarshal(buffer[:n]); err == nil { // else it is garbage, or from a newer standard
			s.get().HandleRTCP(packets)
		}
	}
}
