package rtc

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

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
	stream  relay.Stream
	numbers numbers
	outlet  atomic.Pointer[outlet]
	sender  *webrtc.RTPSender // nil until the section is negotiated
	agreed  bool              // the negotiation is over
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
func (p *Peer) hide(wanted []*section) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mid, s := range p.shown {
		if slices.ContainsFunc(wanted, func(s *section) bool { return s.MID == mid && s.Stream.Name != Speaker }) {
			continue
		}
		delete(p.shown, mid)
		if s.sender != nil {
			_ = p.pc.RemoveTrack(s.sender) // fails only when the connection is closed
		}
		s.get().Close()
	}
}

// profilePatience is how long an answer waits to learn what H.264 a camera passes on.
const profilePatience = time.Second

// choose takes the codec of each section that suits its stream best. What was opened to find that out is closed by release, after the
// sections have opened theirs.
func (p *Peer) choose(ctx context.Context, sections []*section) (release func(), err error) {
	viewers := make([]*relay.Viewer, len(sections)) // nil for sound
	release = func() {
		for _, v := range viewers {
			if v != nil {
				v.Close()
			}
		}
	}
	for i, s := range sections {
		if s.media() != "video" {
			continue
		}
		if viewers[i], err = p.engine.hub.NewViewer(s.Stream, s.Stream.Device); err != nil {
			release()
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, profilePatience)
	defer cancel()
	for i, s := range sections {
		var profile relay.Profile
		if viewers[i] != nil {
			profile = viewers[i].Profile(ctx)
		}
		s.codec, _ = chooseCodec(s.content, s.mime(), profile) // there is one, see checkSection
	}
	return release, nil
}

// open opens the streams that are new, so that they run by the time the connection is made.
func (p *Peer) open(wanted []*section) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return status.Error(codes.Unavailable, "the connection is closed: make a new one")
	}
	for _, s := range wanted {
		if s.Stream.Name == Speaker {
			if err := p.speak(s.Track); err != nil {
				return err
			}
			continue
		}
		if err := p.hold(s); err != nil {
			return err
		}
	}
	return nil
}

// hold opens what a section shows, if that is new, or its numbers are; p.mu is held.
func (p *Peer) hold(wanted *section) error {
	s := p.shown[wanted.MID]
	if s != nil && s.stream == wanted.Stream && s.numbers.same(wanted.numbers) {
		return nil
	}
	o, err := p.engine.newOutlet(wanted.Track)
	if err != nil {
		return err
	}
	if s == nil {
		s = &shown{}
		p.shown[wanted.MID] = s
	}
	s.stream, s.numbers = wanted.Stream, wanted.numbers
	if err := s.show(o); err != nil {
		return status.Errorf(codes.Internal, "section %s: %v", wanted.MID, err)
	}
	return nil
}

// track is what pion gets.
func (s *shown) track() webrtc.TrackLocal { return &numbered{s.get(), s.numbers} }

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
	return s.sender.ReplaceTrack(s.track())
}

// attach gives the codecs of an offer and new outlets to their media sections.
//
// The senders are made by the connection: only then do its interceptors, which send the reports, know of them. It takes the first section
// that may send and has no sender yet. Sections are gone through in its own order, and those that are for nothing or for a voice do not send,
// so that is the one.
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
		sender, err := p.pc.AddTrack(s.track())
		if err == nil && sender != t.Sender() {
			err = errors.New("its track got into another one")
		}
		if err != nil {
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
