package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/pionlog"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

const (
	// A robot that was silent for the sum of these is gone.
	disconnectedAfter, failedAfter = 5 * time.Second, 2 * time.Second
	keepalive                      = time.Second
	// gathering bounds how long an offer waits for candidates, which are there at once.
	gathering = time.Second
	// maxMessage is the largest message that is received.
	maxMessage = 64 << 10
)

func newAPI(log *slog.Logger) (*webrtc.API, error) {
	var m webrtc.MediaEngine
	if err := codecs.RegisterOffers(&m); err != nil {
		return nil, err
	}
	received, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, err
	}
	var registry interceptor.Registry
	registry.Add(received)
	s := webrtc.SettingEngine{LoggerFactory: pionlog.New(log)}
	s.SetIncludeLoopbackCandidate(true) // for a robot on this machine
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICETimeouts(disconnectedAfter, failedAfter, keepalive)
	s.SetSCTPMaxMessageSize(maxMessage)
	return webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithInterceptorRegistry(&registry),
		webrtc.WithSettingEngine(s)), nil
}

// conversation is one call.
type conversation struct {
	*Caller
	pc      *webrtc.PeerConnection
	channel *webrtc.DataChannel
	up      chan struct{} // closed when the connection and the channel are up
	stage   *stage
	heard   atomic.Int64 // when the last packet or message came, Unix time in ns; 0 before the first packet of media

	ctx    context.Context
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
}

// own runs work on a goroutine that the conversation waits for, unless it is over.
func (c *conversation) own(work func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.work.Go(work)
	}
}

// call calls the robot once, and returns why the call has ended.
func (c *Caller) call(ctx context.Context) error {
	n := &conversation{Caller: c, up: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancelCause(ctx)
	defer n.cancel(nil)
	n.stage = newStage(c.config)
	var err error
	if n.pc, err = c.api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return err
	}
	defer n.close()
	if err := n.prepare(); err != nil {
		return err
	}
	if err := n.connect(); err != nil {
		return err
	}
	c.config.Log.Info("the robot has answered the call", "host", c.config.URL.Host)
	c.config.Told("")
	n.own(func() { n.stage.run(n.ctx) })
	n.watch()
	return context.Cause(n.ctx)
}

// close ends the conversation and waits for its end.
func (c *conversation) close() {
	c.cancel(nil)
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	_ = c.pc.Close() // nothing can be done about a failure
	c.work.Wait()
}

// prepare makes the sections of the offer.
func (c *conversation) prepare() error {
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateFailed:
			c.cancel(errors.New("the robot is silent"))
		case webrtc.PeerConnectionStateClosed:
			c.cancel(errors.New("the robot has closed the connection"))
		}
	})
	c.pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.own(func() { c.receive(t) }) })
	channel, err := c.pc.CreateDataChannel("default", nil)
	if err != nil {
		return err
	}
	c.channel = channel
	if err := c.serveTopic(); err != nil {
		return err
	}
	receive := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	for range c.config.Cameras {
		if _, err := c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, receive); err != nil {
			return err
		}
	}
	if c.config.Sound {
		_, err = c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, receive)
	}
	return err
}

// connect exchanges offer and answer and returns when the data channel is open.
func (c *conversation) connect() error {
	ctx, cancel := context.WithTimeout(c.ctx, c.patience)
	defer cancel()
	offer, err := c.offer(ctx)
	if err != nil {
		return err
	}
	answer, err := c.exchange(ctx, offer)
	if err != nil {
		return err
	}
	if answer, err = mend(offer, answer); err != nil {
		return fmt.Errorf("the answer cannot be used: %w", err)
	}
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return fmt.Errorf("the answer cannot be used: %w", err)
	}
	select {
	case <-c.up:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	case <-ctx.Done():
		return fmt.Errorf("the robot has answered, but no connection came up within %v (its state is %v): no way between "+
			"the addresses in offer and answer", c.patience, c.pc.ConnectionState())
	}
}

func (c *conversation) offer(ctx context.Context) (string, error) {
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		return "", err
	}
	late := time.NewTimer(gathering)
	defer late.Stop()
	select {
	case <-gathered:
	case <-late.C:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return c.pc.LocalDescription().SDP, nil
}

// alive notes that something has come. Only media begins it: a robot without may be silent.
func (c *conversation) alive(media bool) {
	if media || c.heard.Load() != 0 {
		c.heard.Store(time.Now().UnixNano())
	}
}

// watch returns when the call has ended, and ends it when media has stopped.
func (c *conversation) watch() {
	tick := time.NewTicker(silence / 5)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case now := <-tick.C:
			if last := c.heard.Load(); last != 0 && now.Sub(time.Unix(0, last)) > silence {
				c.cancel(fmt.Errorf("nothing has come for %v", silence))
			}
		}
	}
}
