package rtcbot

import (
	"context"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
)

// Publisher hands what clients send over to devices that accept publishers.
type Publisher interface {
	// Publish takes the place of the publisher at a device, unless it is taken.
	Publish(ctx context.Context, device string, c Client, peer string) (Publication, error)
}

// Publication is the place of the publisher at a device.
type Publication interface {
	// Video takes the client's video.
	Video() rtc.Sink
	// Audio takes its sound.
	Audio() rtc.Sink
	// Done is closed when the device has ended the publication.
	Done() <-chan struct{}
	// Close gives the place back.
	Close()
}

// publishAgain is how long a client whose place was taken waits before it tries again.
const publishAgain = 2 * time.Second

// sinks makes what takes the client's video and sound; nil for what nothing takes.
func (s *Session) sinks(c cast) (video, audio rtc.Sink) {
	voices, publisher := s.gateway.voices, s.gateway.publisher
	var picture, sound *outlet
	if publisher != nil && c.publish != "" {
		wake := make(chan struct{}, 1)
		picture, sound = &outlet{wake: wake}, &outlet{wake: wake}
		video, audio = picture, sound
		s.work.Go(func() { s.publish(c.publish, s.peer.ID(), wake, picture, sound) })
	}
	if voices != nil && c.speaker != "" {
		s.voice.Voice = voices.Open(c.speaker, s.peer.ID())
		audio = &both{rtc.Voice{Voice: s.voice.Voice}, sound}
	}
	return video, audio
}

// publish keeps a publication while the client sends, as far as the device has a place for it.
func (s *Session) publish(device, peer string, wake <-chan struct{}, picture, sound *outlet) {
	told := false
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-wake:
		}
		p, err := s.gateway.publisher.Publish(s.ctx, device, s.client, peer)
		if err == nil {
			s.relay(p, picture, sound)
			p.Close()
		} else if !told && s.ctx.Err() == nil {
			told = true
			s.gateway.log.Warn("what a client of RTCBot sends is not published", "client", s.client.Address,
				"device", device, "error", err)
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(publishAgain):
		}
	}
}

// relay passes on what the client sends until the publication ends.
func (s *Session) relay(p Publication, picture, sound *outlet) {
	picture.set(p.Video())
	sound.set(p.Audio())
	defer picture.set(nil)
	defer sound.set(nil)
	select {
	case <-s.ctx.Done():
	case <-p.Done():
	}
}

// outlet is a sink whose media goes nowhere until somebody takes it. It wakes who could.
type outlet struct {
	wake chan<- struct{}

	mu       sync.Mutex
	incoming rtc.Incoming // Codec is nil before it began
	to       rtc.Sink     // nil: nobody takes it
}

// set changes who takes the media, nil for nobody.
func (o *outlet) set(to rtc.Sink) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = to
	if to != nil && o.incoming.Codec != nil {
		to.Begin(o.incoming)
	}
}

// Begin implements [rtc.Sink].
func (o *outlet) Begin(i rtc.Incoming) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.incoming = i
	if o.to != nil {
		o.to.Begin(i)
	}
}

// Accept implements [rtc.Sink].
func (o *outlet) Accept(h *rtp.Header, payload []byte, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to != nil {
		o.to.Accept(h, payload, now)
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Garbage implements [rtc.Sink].
func (o *outlet) Garbage() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to != nil {
		o.to.Garbage()
	}
}

// voice is what the client says, if anything says it.
type voice struct{ *talk.Voice }

func (v voice) close() {
	if v.Voice != nil {
		v.Close()
	}
}

// both is the sink of sound that is heard from a speaker and may be published.
type both struct {
	voice rtc.Voice
	sound *outlet // nil: not published
}

// Begin implements [rtc.Sink].
func (b *both) Begin(i rtc.Incoming) {
	if b.sound != nil {
		b.sound.Begin(i)
	}
}

// Accept implements [rtc.Sink].
func (b *both) Accept(h *rtp.Header, payload []byte, now time.Time) {
	b.voice.Accept(h, payload, now)
	if b.sound != nil {
		b.sound.Accept(h, payload, now)
	}
}

// Garbage implements [rtc.Sink].
func (b *both) Garbage() { b.voice.Garbage() }
