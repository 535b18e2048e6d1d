package steer_test

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

var (
	video      = tracks.Stream{Device: "front", Name: "video"}
	videoSmall = tracks.Stream{Device: "front", Name: "video-small"}
)

const configured = 2_500_000 // bit/s

// camera has a stream and its small version, and takes limits as a real one does. Its encoders hit their bit rate
// within a fifth, make key frames of five mean frames, and leave out pictures when those before were too large.
type camera struct {
	tracks.Devices // no other methods are used

	mu       sync.Mutex
	encoders map[tracks.Stream]*encoder
	most     int // encoders at once
}

func newCamera() *camera {
	return &camera{encoders: map[tracks.Stream]*encoder{
		video:      {configured: configured, fps: 30},
		videoSmall: {configured: 350_000, fps: 15},
	}}
}

// encoder is that of one stream. Its camera's mu guards it.
type encoder struct {
	configured, limit int64
	fps               int
	until             time.Time // when the limit ends
	paused            time.Time // until when
	key               bool      // a key frame is wanted
	open              bool
	sequence          int64
	excess            float64 // bytes made beyond the bit rate
}

// Limit implements [steer.Cameras].
func (c *camera) Limit(_ context.Context, s tracks.Stream, bps int64, ttl time.Duration) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, now := c.encoders[s], time.Now()
	e.limit, e.until = bps, now.Add(ttl)
	return e.configured, nil
}

// Pause implements [steer.Cameras].
func (c *camera) Pause(_ context.Context, s tracks.Stream, ttl time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.encoders[s].paused = time.Now().Add(min(ttl, 500*time.Millisecond))
	return nil
}

// Small implements [steer.Cameras].
func (c *camera) Small(s tracks.Stream) (tracks.Stream, bool) { return videoSmall, s == video }

// Video implements [tracks.Devices].
func (c *camera) Video(s tracks.Stream) (tracks.VideoFeed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.encoders[s]
	e.open, e.key, e.sequence = true, true, 0
	open := 0
	for _, e := range c.encoders {
		if e.open {
			open++
		}
	}
	c.most = max(c.most, open)
	f := &feed{camera: c, encoder: e, epoch: time.Now().UnixNano(), closed: make(chan struct{})}
	f.tick = time.NewTicker(time.Second / time.Duration(e.fps))
	return f, nil
}

// feed implements [tracks.VideoFeed].
type feed struct {
	camera  *camera
	encoder *encoder
	epoch   int64
	tick    *time.Ticker
	closed  chan struct{}
}

func (f *feed) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.closed:
			return nil, io.EOF
		case <-f.tick.C:
		}
		f.camera.mu.Lock()
		size, key := f.encoder.encode(time.Now())
		sequence := f.encoder.sequence
		if size > 0 {
			f.encoder.sequence++
		}
		f.camera.mu.Unlock()
		if size > 0 {
			return fakecam.Frame(f.epoch, sequence, key, size), nil
		}
	}
}

// encode returns the size of the next picture, 0 for one that is left out, and whether it is a key frame.
func (e *encoder) encode(now time.Time) (size int, key bool) {
	rate := e.configured
	if now.Before(e.until) {
		rate = min(rate, e.limit)
	}
	mean := float64(rate) / 8 / float64(e.fps)
	e.excess = max(0, e.excess-mean)
	if now.Before(e.paused) || e.excess > 0.15*float64(rate)/8 {
		return 0, false
	}
	key, e.key = e.key, false
	made := mean * (0.8 + 0.4*rand.Float64())
	if key {
		made = 5 * mean
	}
	e.excess += made
	return int(made), key
}

func (f *feed) RequestKeyFrame(context.Context) error {
	f.camera.mu.Lock()
	defer f.camera.mu.Unlock()
	f.encoder.key = true
	return nil
}

func (f *feed) KeyFrames() tracks.KeyFrames { return tracks.KeyFrames{OnRequest: true} }

func (f *feed) Close() {
	f.tick.Stop()
	close(f.closed)
	f.camera.mu.Lock()
	defer f.camera.mu.Unlock()
	f.encoder.open = false
}
