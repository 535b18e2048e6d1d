package rtcbot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// studio is a device for publishers that keeps what happens.
type studio struct {
	mu     sync.Mutex
	events []string
	busy   bool
	done   chan struct{} // of the latest publication
}

func (s *studio) note(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, event)
}

func (s *studio) took() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

func (s *studio) Publish(_ context.Context, device string, c Client, peer string) (Publication, error) {
	s.note(fmt.Sprint("publish ", device, " ", c.Address, " ", peer))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		return nil, errors.New("taken")
	}
	s.done = make(chan struct{})
	return &place{s, s.done}, nil
}

// place is a publication.
type place struct {
	studio *studio
	done   chan struct{}
}

func (p *place) Video() rtc.Sink       { return &lens{p.studio, "video"} }
func (p *place) Audio() rtc.Sink       { return &lens{p.studio, "audio"} }
func (p *place) Done() <-chan struct{} { return p.done }
func (p *place) Close()                { p.studio.note("close") }

// lens is a sink of a publication.
type lens struct {
	studio *studio
	name   string
}

func (l *lens) Begin(i rtc.Incoming) { l.studio.note(fmt.Sprint(l.name, " begins ", i.SSRC)) }
func (l *lens) Garbage()             { l.studio.note(l.name + " garbage") }
func (l *lens) Accept(h *rtp.Header, _ []byte, _ time.Time) {
	l.studio.note(fmt.Sprint(l.name, " ", h.SequenceNumber))
}

// TestPublishing: the place is taken with the first packet and not before, asked for again while somebody else has it,
// and given back at the end.
func TestPublishing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := &studio{busy: true}
		s := &Session{gateway: New(Config{Publisher: room, Log: slog.New(slog.DiscardHandler)}),
			client: Client{Address: "10.0.0.3:99"}}
		s.ctx, s.cancel = context.WithCancel(t.Context())
		wake := make(chan struct{}, 1)
		picture, sound := &outlet{wake: wake}, &outlet{wake: wake}
		s.work.Go(func() { s.publish("guest", "peer-7", wake, picture, sound) })
		packet := func(o *outlet, n uint16) {
			o.Accept(&rtp.Header{SequenceNumber: n}, []byte{1}, time.Now())
			synctest.Wait()
		}
		picture.Begin(rtc.Incoming{Codec: codecs.Of("audio/opus"), SSRC: 5})
		synctest.Wait()
		packet(picture, 1) // asks, in vain
		packet(picture, 2)
		room.mu.Lock()
		room.busy = false
		room.mu.Unlock()
		time.Sleep(publishAgain)
		synctest.Wait()
		packet(picture, 3) // flows
		picture.Garbage()
		sound.Begin(rtc.Incoming{Codec: codecs.Of("audio/opus"), SSRC: 6})
		packet(sound, 1)
		close(room.done) // somebody takes the place
		synctest.Wait()
		packet(picture, 4) // lost
		time.Sleep(publishAgain)
		synctest.Wait()
		packet(picture, 5)
		s.cancel()
		s.work.Wait()
		packet(picture, 6) // lost
		asks := "publish guest 10.0.0.3:99 peer-7"
		want := []string{asks, asks, "video begins 5", "video 3", "video garbage", "audio begins 6", "audio 1", "close",
			asks, "video begins 5", "audio begins 6", "video 5", "close"}
		if got := room.took(); !slices.Equal(got, want) {
			t.Errorf("it took\n%q, want\n%q", got, want)
		}
	})
}
