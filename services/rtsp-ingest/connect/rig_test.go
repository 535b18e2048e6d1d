package connect

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/source"
)

// script is what one connection of a camera does: an error of dialling, or pictures and then an end.
type script struct {
	dial     error
	wake     time.Duration             // before the first picture
	damaged  int                       // from this picture on they are, unless it is 0
	every    time.Duration             // between pictures: interval if 0
	age      func(i int) time.Duration // of picture i when it comes; nil if that does not change
	pictures int                       // at 25 a second; fewer than 0 never end
	pause    time.Duration             // of silence after them, before end
	end      error
}

// camera plays scripts, one for each connection; the last goes on for ever.
type camera struct {
	scripts []script
	dials   []time.Duration // since it was made
	made    time.Time
	open    int // connections
	most    int // at a time
}

const interval = 40 * time.Millisecond

func (c *camera) dial(context.Context) (feed.Conn, error) {
	c.dials = append(c.dials, time.Since(c.made))
	s := c.scripts[min(len(c.dials), len(c.scripts))-1]
	if s.dial != nil {
		return nil, s.dial
	}
	c.open++
	c.most = max(c.most, c.open)
	return &conn{c, s}, nil
}

type conn struct {
	camera *camera
	script script
}

func (c *conn) Video() feed.Track             { return feed.Track{MediaType: media.H264} }
func (c *conn) Attributes() map[string]string { return map[string]string{"driver": "rtsp"} }
func (c *conn) Close() error                  { c.camera.open--; return nil }

func (c *conn) Run(ctx context.Context, to feed.Receiver) error {
	defer func() { c.camera.open-- }()
	select {
	case <-time.After(c.script.wake):
	case <-ctx.Done():
	}
	every := max(c.script.every, interval)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; i != c.script.pictures; i++ {
		at := time.Duration(i) * every
		if c.script.age != nil {
			at -= c.script.age(i)
		}
		to.Picture(feed.Picture{MediaType: media.H264, Time: at, Arrival: time.Now(),
			Damaged: c.script.damaged > 0 && i >= c.script.damaged})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	select {
	case <-time.After(c.script.pause):
	case <-ctx.Done():
	}
	return c.script.end
}

// pictures shows every whole picture; the first and every tenth is a key frame.
type pictures struct{ count int }

var format = &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 640, HeightPx: 360, FrameRateHz: 25}

func (p *pictures) Add(one feed.Picture, captured time.Time) (source.Frame, bool) {
	if p.count++; one.Damaged {
		return source.Frame{}, false
	}
	return source.Frame{Format: format, Time: captured, Data: []byte{1}, Key: p.count%10 == 1}, true
}

func (p *pictures) Remarks() Remarks { return Remarks{} }

func (p *pictures) Info() source.Info {
	return source.Info{Current: format, Native: []*mediav1.VideoFormat{format}}
}

// line runs test in a bubble, with a line to a camera that plays scripts.
func line(t *testing.T, policy Policy, scripts []script, test func(t *testing.T, l *Line, c *camera)) {
	lineOf(t, Config{Policy: policy}, scripts, test)
}

// lineOf is line, with a configuration of which Policy and Pushed are given.
func lineOf(t *testing.T, config Config, scripts []script, test func(t *testing.T, l *Line, c *camera)) {
	synctest.Test(t, func(t *testing.T) {
		c := &camera{scripts: scripts, made: time.Now()}
		config.Dial, config.Pictures = c.dial, func(feed.Track) Pictures { return &pictures{} }
		l := New(config)
		defer l.Close()
		test(t, l, c)
		if c.open != 0 {
			t.Errorf("%d connections are still open", c.open)
		}
		if c.most > 1 {
			t.Errorf("%d connections were open at a time", c.most)
		}
	})
}

// use opens sources and watches each until it ends, as package camera does, until ctx ends.
func use(ctx context.Context, l *Line) {
	for ctx.Err() == nil {
		s, err := l.Open(ctx)
		if err != nil {
			continue
		}
		_ = s.(source.Watcher).Watch(ctx)
		_ = s.Close()
	}
}
