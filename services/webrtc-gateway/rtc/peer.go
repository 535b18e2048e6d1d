package rtc

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/paths"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/playout"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/steer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
)

// gatherTimeout limits how long an answer waits for the gateway's own candidates. They come from sockets that are open
// already.
const gatherTimeout = time.Second

// confirmTimeout limits how long what is new waits for a far end that wants to say when it is ready, see
// [Peer.Confirms].
const confirmTimeout = time.Second

// Peer is one connection. Its methods are safe for concurrent use; offers are handled one at a time.
type Peer struct {
	engine   *Engine
	id       string
	api      *webrtc.API
	pc       *webrtc.PeerConnection
	channels Channels // nil: none are accepted
	path     *paths.Path
	spare    spare
	viewer   *steer.Viewer // nil: nothing is steered
	began    time.Time
	ctx      context.Context // ends with the connection
	cancel   context.CancelFunc
	done     chan struct{}
	end      sync.Once
	ended    sync.WaitGroup // of goroutines
	giveUp   *time.Timer

	negotiating sync.Mutex
	agreed      agreed          // guarded by negotiating
	used        map[string]bool // the mids of sections that were ever used; likewise

	mu           sync.Mutex
	playout      *playout.Delay // nil: it is decided for each video
	reach        reach
	shown        map[string]*shown      // by mid
	voices       map[string]*talk.Voice // by mid
	sinks        map[string]Sink        // by mid
	confirms     bool
	unconfirmed  *time.Timer // starts what a far end does not confirm; nil before the first answer that waits
	connected    bool
	closed       bool
	channelCount int // open data channels
}

// NewPeer returns a connection that waits for its first offer. It must be closed. Channels handles its data channels;
// nil refuses them.
func (e *Engine) NewPeer(channels Channels) (*Peer, error) {
	p := &Peer{
		engine: e, id: e.newID(), channels: channels, path: paths.New(), spare: newSpare(),
		began: time.Now(), done: make(chan struct{}),
		shown: make(map[string]*shown), voices: make(map[string]*talk.Voice),
		sinks: make(map[string]Sink), used: make(map[string]bool),
	}
	if err := e.add(p); err != nil {
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.viewer = e.steering.Join(p.id, p.path)
	follower := &follower{relayed: e.ports.isRelay}
	p.api = e.newAPI(follower)
	pc, err := p.api.NewPeerConnection(e.config)
	if err != nil {
		p.cancel()
		p.viewer.Leave()
		e.remove(p)
		return nil, status.Errorf(codes.Internal, "make a connection: %v", err)
	}
	p.pc = pc
	p.giveUp = time.AfterFunc(connectTimeout, func() {
		e.metrics.given.Inc()
		e.end(p)
	})
	p.ended.Go(p.watchPath)
	pc.OnConnectionStateChange(p.stateChanged)
	pc.OnDataChannel(p.openChannel)
	pc.OnTrack(p.hear)
	pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(follower.selected)
	return p, nil
}

// stateChanged is called by pion, so it must not wait for the connection to end.
func (p *Peer) stateChanged(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateConnected:
		p.start()
	case webrtc.PeerConnectionStateFailed:
		p.engine.metrics.given.Inc()
		p.engine.end(p)
	case webrtc.PeerConnectionStateClosed:
		p.engine.end(p)
	}
}

// start lets frames flow: DTLS is connected, or there is a path again after an interruption.
func (p *Peer) start() {
	p.giveUp.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.connected {
		p.connected = true
		p.engine.metrics.connected.Inc()
		p.engine.metrics.connect.Observe(time.Since(p.began).Seconds())
		p.startAgreed()
		return
	}
	p.engine.metrics.repaired.Inc()
	p.startAgreed()
	for _, s := range p.shown {
		s.track.Load().Resume()
	}
}

// startAgreed starts the negotiated tracks; p.mu is held.
func (p *Peer) startAgreed() {
	for _, s := range p.shown {
		if s.agreed && p.connected {
			s.track.Load().Start()
		}
	}
}

// agree is called when a negotiation is complete on this side.
func (p *Peer) agree() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.confirms || !p.connected || p.closed {
		p.startAll()
		return
	}
	p.startAgreed() // sections that the far end knows may have other tracks now
	p.stopWaiting()
	p.unconfirmed = time.AfterFunc(confirmTimeout, p.Applied)
}

// Confirms tells whether the far end will say when the answers to the offers from now on are in effect. What is new in
// them is sent then, or after a second, instead of at once.
func (p *Peer) Confirms(confirms bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.confirms = confirms
}

// Applied is what a far end says that [Peer.Confirms]: the last answer is in effect.
func (p *Peer) Applied() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopWaiting()
	p.startAll()
}

// stopWaiting ends the wait for the far end; p.mu is held.
func (p *Peer) stopWaiting() {
	if p.unconfirmed != nil {
		p.unconfirmed.Stop()
	}
}

// startAll starts what is negotiated now; p.mu is held.
func (p *Peer) startAll() {
	for _, s := range p.shown {
		s.agreed = true
	}
	p.startAgreed()
}

// Playout fixes how long the far end is to hold pictures back; without, that follows from the path, and from whether it
// drives. It must be called before the first offer.
func (p *Peer) Playout(d *playout.Delay) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.playout = d
}

// Answer handles an offer: it puts the streams named by tracks into their media sections and stops those that are no
// longer named. It returns the SDP of the answer. An offer that is invalid, or lacks a codec for a requested stream,
// leaves the connection as it was; any other error closes it.
func (p *Peer) Answer(ctx context.Context, sdp string, tracks []Track) (string, error) {
	p.negotiating.Lock()
	defer p.negotiating.Unlock()
	return p.answer(ctx, sdp, tracks)
}

// answer is Answer while p.negotiating is held.
func (p *Peer) answer(ctx context.Context, sdp string, tracks []Track) (string, error) {
	o, err := readOffer(sdp, tracks)
	if err != nil {
		return "", err
	}
	release, err := p.choose(ctx, o.sections)
	if err != nil {
		return "", err
	}
	o.keepSpare(p.used)
	if err := o.narrow(); err != nil {
		release()
		return "", err
	}
	restart := p.agreed.sdp != "" && described(o.description).Ufrag != p.agreed.ufrag
	known := p.outside(ctx, restart)
	p.hide(o.sections)
	p.hush(o.sections)
	err = p.open(ctx, o.sections)
	release()
	if err != nil {
		p.Close()
		return "", err
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.sdp}); err != nil {
		p.Close()
		return "", status.Errorf(codes.InvalidArgument, "sdp: the offer cannot be used: %v", err)
	}
	answer, err := p.negotiate(ctx, &o)
	if err == nil {
		answer, err = o.complete(answer, p.repairedBy)
	}
	if err == nil && p.engine.outside != nil {
		answer, err = p.reachable(answer, known, restart)
	}
	if err != nil {
		p.Close()
		return "", err
	}
	p.remember(sdp, &o, tracks)
	for _, s := range o.sections {
		p.used[s.MID] = true
	}
	return answer, nil
}

// negotiate makes the answer to an offer.
func (p *Peer) negotiate(ctx context.Context, o *offer) (string, error) {
	if err := p.attach(o); err != nil {
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
	case <-timeout.C: // most peers manage without the missing candidates
	case <-ctx.Done():
		return "", status.FromContextError(ctx.Err()).Err()
	case <-p.done:
		return "", status.Error(codes.Unavailable, "the connection was closed while it was being set up")
	}
	return p.pc.LocalDescription().SDP, nil
}

func answerError(err error) error {
	if errors.Is(err, webrtc.ErrUnsupportedCodec) || errors.Is(err, webrtc.ErrSenderWithNoCodecs) {
		return status.Error(codes.FailedPrecondition,
			"no common codec: the gateway sends "+codecs.Demands(webrtc.RTPCodecTypeVideo)+", and "+codecs.Demands(
				webrtc.RTPCodecTypeAudio))
	}
	return status.Errorf(codes.InvalidArgument, "sdp: the offer cannot be answered: %v", err)
}

// AddCandidate adds a candidate of the far end; an empty one marks the end of candidates. If mid is empty, index
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

// Path is what is known of the path to the far end.
func (p *Peer) Path() *paths.Path { return p.path }

// ID names the peer, uniquely in the life of the engine.
func (p *Peer) ID() string { return p.id }

// Done is closed when the connection has ended, for whatever reason.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Close ends the connection and waits for its end.
func (p *Peer) Close() {
	p.end.Do(func() {
		p.giveUp.Stop()
		p.cancel()
		p.viewer.Leave()
		p.mu.Lock()
		p.closed = true
		p.stopWaiting()
		viewers, voices := p.shown, p.voices
		p.shown, p.voices, p.sinks = nil, nil, nil
		p.mu.Unlock()
		for _, s := range viewers {
			s.track.Load().Close()
			s.repairs.end()
		}
		for _, v := range voices {
			v.Close()
		}
		_ = p.pc.Close() // nothing can be done about a failure
		p.ended.Wait()
		p.engine.remove(p)
		close(p.done)
	})
	<-p.done
}
