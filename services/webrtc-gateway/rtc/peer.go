package rtc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/relay"
)

// gatherTimeout bounds how long an answer waits for the gateway's own candidates. They come from open sockets.
const gatherTimeout = time.Second

// Peer is one connection. Its methods are safe for concurrent use; offers are dealt with one after another.
type Peer struct {
	engine   *Engine
	id       string
	pc       *webrtc.PeerConnection
	channels Channels // nil for none
	began    time.Time
	ctx      context.Context // ends with the connection
	cancel   context.CancelFunc
	done     chan struct{}
	end      sync.Once
	ended    sync.WaitGroup // goroutines, and the end itself
	giveUp   *time.Timer

	negotiating sync.Mutex

	mu        sync.Mutex
	shown     map[string]*shown // by mid
	connected bool
	closed    bool
	open      int // data channels
}

// shown is what one media section shows.
type shown struct {
	stream relay.Stream
	viewer atomic.Pointer[relay.Viewer]
	sender *webrtc.RTPSender // nil until the section is negotiated
	agreed bool              // the negotiation is over
}

// NewPeer returns a connection that waits for its first offer. It must be closed. Channels deals with its data channels; nil refuses them.
func (e *Engine) NewPeer(channels Channels) (*Peer, error) {
	p := &Peer{engine: e, id: e.newID(), channels: channels, began: time.Now(), done: make(chan struct{}), shown: make(map[string]*shown)}
	if err := e.add(p); err != nil {
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	pc, err := e.api.NewPeerConnection(e.config)
	if err != nil {
		p.cancel()
		e.remove(p)
		return nil, status.Errorf(codes.Internal, "make a connection: %v", err)
	}
	p.pc = pc
	p.giveUp = time.AfterFunc(connectTimeout, func() {
		e.metrics.given.Inc()
		p.Close()
	})
	pc.OnConnectionStateChange(p.stateChanged)
	pc.OnDataChannel(p.openChannel)
	return p, nil
}

// stateChanged is called by pion, which must not be made to wait for the end of the connection.
func (p *Peer) stateChanged(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateConnected:
		p.start()
	case webrtc.PeerConnectionStateFailed:
		p.engine.metrics.given.Inc()
		go p.Close()
	case webrtc.PeerConnectionStateClosed:
		go p.Close()
	}
}

// start lets frames flow: DTLS is up.
func (p *Peer) start() {
	p.giveUp.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.connected {
		p.connected = true
		p.engine.metrics.connected.Inc()
		p.engine.metrics.connect.Observe(time.Since(p.began).Seconds())
	}
	p.startAgreed()
}

// startAgreed starts what is negotiated; p.mu is held.
func (p *Peer) startAgreed() {
	for _, s := range p.shown {
		if s.agreed && p.connected {
			s.viewer.Load().Start()
		}
	}
}

// agree is called when a negotiation is over.
func (p *Peer) agree() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.shown {
		s.agreed = true
	}
	p.startAgreed()
}

// Answer deals with an offer: it shows the streams that tracks name in their media sections, and stops those that are named no
// more. It returns the SDP of the answer. An offer that makes no sense leaves the connection as it was; after any other error it
// is closed.
func (p *Peer) Answer(ctx context.Context, sdp string, tracks []Track) (string, error) {
	o, err := readOffer(sdp, tracks)
	if err != nil {
		return "", err
	}
	p.negotiating.Lock()
	defer p.negotiating.Unlock()
	p.hide(o.tracks)
	if err := p.hold(o.tracks); err != nil {
		p.Close()
		return "", err
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.sdp}); err != nil {
		p.Close()
		return "", status.Errorf(codes.InvalidArgument, "sdp: the offer cannot be used: %v", err)
	}
	answer, err := p.negotiate(ctx)
	if err != nil {
		p.Close()
		return "", err
	}
	return answer, nil
}

// negotiate makes the answer to the offer that was set.
func (p *Peer) negotiate(ctx context.Context) (string, error) {
	if err := p.attach(); err != nil {
		return "", err
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", answerError(err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", answerError(err)
	}
	p.agree()
	timeout := time.NewTimer(gatherTimeout)
	defer timeout.Stop()
	select {
	case <-gathered:
	case <-timeout.C: // what is missing is not needed by most
	case <-ctx.Done():
		return "", status.FromContextError(ctx.Err()).Err()
	case <-p.done:
		return "", status.Error(codes.Unavailable, "the connection was closed while it was made")
	}
	return p.pc.LocalDescription().SDP, nil
}

func answerError(err error) error {
	if errors.Is(err, webrtc.ErrUnsupportedCodec) || errors.Is(err, webrtc.ErrSenderWithNoCodecs) {
		return status.Error(codes.FailedPrecondition,
			"no common codec: the gateway sends H264 with packetization-mode=1 (profile 42e01f, constrained baseline)")
	}
	return status.Errorf(codes.InvalidArgument, "sdp: the offer cannot be answered: %v", err)
}

// hide ends the tracks that are not wanted any more.
func (p *Peer) hide(wanted []Track) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mid, s := range p.shown {
		if slices.ContainsFunc(wanted, func(t Track) bool { return t.MID == mid }) {
			continue
		}
		delete(p.shown, mid)
		if s.sender != nil {
			_ = p.pc.RemoveTrack(s.sender) // fails only when the connection is closed
		}
		s.viewer.Load().Close()
	}
}

// hold opens the streams that are new, so that they run by the time the connection is made.
func (p *Peer) hold(wanted []Track) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return status.Error(codes.Unavailable, "the connection is closed: make a new one")
	}
	for _, t := range wanted {
		s := p.shown[t.MID]
		if s != nil && s.stream == t.Stream {
			continue
		}
		v, err := p.engine.hub.NewViewer(t.Stream, t.Stream.Device)
		if err != nil {
			return err
		}
		if s == nil {
			s = &shown{}
			p.shown[t.MID] = s
		}
		s.stream = t.Stream
		if err := s.show(v); err != nil {
			return status.Errorf(codes.Internal, "section %s: %v", t.MID, err)
		}
	}
	return nil
}

// show makes v the viewer of the section. If there was another, v takes over its track, with its SSRC.
func (s *shown) show(v *relay.Viewer) error {
	old := s.viewer.Swap(v)
	if old == nil {
		return nil
	}
	old.Close()
	v.Follow(old)
	if s.sender == nil {
		return nil
	}
	return s.sender.ReplaceTrack(v)
}

// attach gives new viewers to their media sections. Pion fills sections in the order in which it got to know them, and
// readOffer left nothing but wanted sections to be filled; so going through them in that order puts each viewer into its own.
func (p *Peer) attach() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.pc.GetTransceivers() {
		s := p.shown[t.Mid()]
		if s == nil || s.sender != nil {
			continue
		}
		sender, err := p.pc.AddTrack(s.viewer.Load())
		if err != nil {
			return status.Errorf(codes.Internal, "section %s: %v", t.Mid(), err)
		}
		if t.Sender() != sender {
			return status.Errorf(codes.Internal, "section %s was passed over by the negotiation", t.Mid())
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
			s.viewer.Load().HandleRTCP(packets)
		}
	}
}

// AddCandidate takes one more candidate of the far end; an empty one says that there are no more. mid may be empty, then index
// counts.
func (p *Peer) AddCandidate(candidate, mid string, index uint16) error {
	if strings.TrimSpace(candidate) == "" {
		return nil // nothing waits for the end of candidates
	}
	c := webrtc.ICECandidateInit{Candidate: candidate, SDPMLineIndex: &index}
	if mid != "" {
		c = webrtc.ICECandidateInit{Candidate: candidate, SDPMid: &mid}
	}
	if err := p.pc.AddICECandidate(c); err != nil {
		if errors.Is(err, webrtc.ErrNoRemoteDescription) {
			return status.Error(codes.FailedPrecondition, "candidate: send an offer first")
		}
		return status.Errorf(codes.InvalidArgument, "candidate: %v", err)
	}
	return nil
}

// Done is closed when the connection has ended, whoever ended it.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Close ends the connection and returns when it has ended.
func (p *Peer) Close() {
	p.end.Do(func() {
		p.giveUp.Stop()
		p.cancel()
		p.mu.Lock()
		p.closed = true
		viewers := p.shown
		p.shown = nil
		p.mu.Unlock()
		for _, s := range viewers {
			s.viewer.Load().Close()
		}
		_ = p.pc.Close() // nothing can be done about a failure
		p.ended.Wait()
		p.engine.remove(p)
		close(p.done)
	})
	<-p.done
}
