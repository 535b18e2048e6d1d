package microphone

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/sound/pcm"
)

const (
	maxQueue = 64      // blocks that may wait for Capture
	maxBlock = 192_000 // bytes in a block: a second of L16 at 48 kHz, stereo
	maxBad   = 50      // blocks in a row that cannot be decoded; then the state says so
	warnRate = 10 * time.Second
)

// Config says how sound is given on. All of it is required.
type Config struct {
	Format pcm.Format
	// Changed is told what the camera sends, whenever that changes. It must not wait or call the Microphone.
	Changed func(State)
	Log     *slog.Logger
}

// State is what a camera sends.
type State struct {
	Text string // for people: encoding and format
	Err  error  // why it cannot be heard, with a remedy; nil if it can
}

// Microphone is described in the package comment. It implements card.Microphone.
type Microphone struct {
	config Config
	blocks *stream.Topic[block]
	warned time.Time // belongs to Capture

	mu    sync.Mutex
	now   encoding // of the last block
	state State
}

// block is a block of sound as it came.
type block struct {
	feed.Sound
	encoding encoding
	at       time.Time // when it was captured
}

// encoding is what of a track decides how it is decoded.
type encoding struct {
	mediaType      string
	rate, channels int
	config         string
}

// New returns a microphone that has not heard anything.
func New(config Config) *Microphone {
	return &Microphone{config: config, blocks: stream.NewTopic[block]()}
}

// Add takes a block of sound that was captured at that time.
func (m *Microphone) Add(s feed.Sound, captured time.Time) {
	t := s.Track
	e := encoding{t.MediaType, t.SampleRate, max(t.Channels, 1), string(t.Config)}
	if m.hears(e) && len(s.Data) <= maxBlock {
		m.blocks.Publish(block{s, e, captured})
	}
}

// hears reports whether sound of an encoding can be heard, and tells if that is news.
func (m *Microphone) hears(e encoding) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e != m.now {
		m.now, m.state = e, State{Text: e.String(), Err: e.check()}
		m.config.Changed(m.state)
	}
	return m.state.Err == nil
}

// Forget notes that the connection is gone: what comes next is news.
func (m *Microphone) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now, m.state = encoding{}, State{}
}

// Capture implements card.Microphone.
func (m *Microphone) Capture(ctx context.Context, take func(samples []float32, at time.Time)) error {
	sub := m.blocks.Subscribe(stream.DropOldest(maxQueue))
	defer sub.Close()
	var now *ear
	defer func() { now.close() }()
	for bad := 0; ; {
		b, err := sub.Next(ctx)
		if err != nil {
			return nil // ctx has ended: nobody closes the topic
		}
		if now == nil || now.encoding != b.encoding {
			now.close()
			now, err = newEar(b.encoding, m.config.Format)
		}
		if err == nil {
			err = now.hear(b, take)
		}
		if err == nil {
			bad = 0
			continue
		}
		bad++
		m.complain(b.encoding, bad, err)
	}
}

// complain notes that a block could not be decoded. After many in a row the sound counts as one that cannot be heard.
func (m *Microphone) complain(e encoding, bad int, err error) {
	if time.Since(m.warned) > warnRate {
		m.warned = time.Now()
		m.config.Log.Warn("the camera's sound cannot be decoded", "sound", e.String(), "error", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if bad == maxBad && e == m.now {
		m.state.Err = unsupported("the camera's sound says that it is %s, and cannot be decoded as such (%v): set it to G.711",
			e, err)
		m.config.Changed(m.state)
	}
}
