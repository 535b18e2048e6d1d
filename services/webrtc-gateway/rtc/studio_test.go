package rtc

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// clip is what the cameras and microphones of these tests produce: always the same frame, so that it is known when it
// comes back.
type clip struct {
	t     *time.Ticker
	video *mediav1.VideoFrame
	asIs  bool // it is passed on as a camera made it
	seq   int64
}

// clips holds one picture for each stream that was opened.
type clips struct {
	mu       sync.Mutex
	pictures map[tracks.Stream][]byte
	types    map[string][]string // media types of devices that name them
	profile  []byte              // in the parameter sets; nil: as fakecam has it
}

// Video implements [tracks.Devices].
func (c *clips) Video(s tracks.Stream) (tracks.VideoFeed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := fakecam.Frame(1, 0, true, 3000)
	if c.pictures[s] == nil {
		c.pictures[s] = f.GetData()
		copy(c.pictures[s][5:], c.profile)
	}
	f.Data = c.pictures[s]
	return &clip{t: time.NewTicker(20 * time.Millisecond), video: f, asIs: c.profile != nil}, nil
}

// Audio implements [tracks.Devices].
func (c *clips) Audio(tracks.Stream) (tracks.AudioFeed, error) {
	return &tone{clip{t: time.NewTicker(20 * time.Millisecond)}}, nil
}

// Carriers implements [tracks.Devices].
func (c *clips) Carriers(s tracks.Stream) ([]tracks.Carrier, <-chan struct{}) {
	return []tracks.Carrier{{Stream: s, MediaTypes: c.types[s.Device]}}, nil
}

func (c *clips) picture(s tracks.Stream) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pictures[s]
}

func (c *clip) wait(ctx context.Context) error {
	select {
	case <-c.t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *clip) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	if err := c.wait(ctx); err != nil {
		return nil, err
	}
	f := proto.CloneOf(c.video)
	f.Sequence, f.CaptureTime = c.seq, timestamppb.Now()
	c.seq++
	return f, nil
}
func (c *clip) RequestKeyFrame(context.Context) error { return nil }
func (c *clip) KeyFrames() tracks.KeyFrames {
	return tracks.KeyFrames{OnRequest: !c.asIs, AsIs: c.asIs}
}
func (c *clip) Close() { c.t.Stop() }

// tone is a microphone.
type tone struct{ clip }

// opusWord is a packet of 20 ms.
func opusWord(device string) []byte { return append([]byte{0x78}, device...) }

func (c *tone) Next(ctx context.Context) (*mediav1.AudioFrame, error) {
	if err := c.wait(ctx); err != nil {
		return nil, err
	}
	c.seq++
	return &mediav1.AudioFrame{
		Epoch: 1, Sequence: c.seq, SampleIndex: 960 * c.seq, SampleCount: 960, Data: opusWord("head"),
		Format: &mediav1.AudioFormat{MediaType: "audio/opus"},
	}, nil
}

// spoken collects what voices say.
type spoken chan *mediav1.AudioFrame

func (s spoken) Publish(_ string, m proto.Message) error {
	select {
	case s <- proto.CloneOf(m.(*mediav1.AudioFrame)): // its data is only lent
	default:
	}
	return nil
}

// newStudio is an engine with cameras that show something, microphones, and speakers.
func newStudio(t *testing.T) (*Engine, *clips, spoken) {
	t.Helper()
	c, said := &clips{pictures: make(map[tracks.Stream][]byte)}, make(spoken, 1000)
	hub := tracks.NewHub(c, tracks.Config{})
	e, err := NewEngine(hub, Config{Voices: talk.New(said, "demo", nil)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		hub.Close()
	})
	return e, c, said
}

// newPair returns a far end that wants videos and keeps so many packets, and the peer for it.
func newPair(t *testing.T, e *Engine, videos, packets int) (far *watcher.Watcher, near *Peer) {
	t.Helper()
	return openPair(t, e, watcher.Config{Videos: videos, Buffer: packets})
}

// openPair likewise, with any far end.
func openPair(t *testing.T, e *Engine, c watcher.Config) (far *watcher.Watcher, near *Peer) {
	t.Helper()
	far, err := watcher.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	near, err = e.NewPeer(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(near.Close)
	return far, near
}

// watchLeft connects a far end that watches the left camera, and returns it and the answer to its offer, which can be
// changed before.
func watchLeft(t *testing.T, e *Engine, c watcher.Config, change func(offer string) string) (*watcher.Watcher, string) {
	t.Helper()
	far, near := openPair(t, e, c)
	offer, err := far.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := near.Answer(t.Context(), change(offer), []Track{{MID: "0", Stream: left}})
	if err != nil {
		t.Fatal(err)
	}
	if err := far.Accept(answer); err != nil {
		t.Fatal(err)
	}
	return far, answer
}
