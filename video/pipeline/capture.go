package pipeline

import (
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/source"
)

// capture is one captured picture, shared by all variants. Its pixels are made when the first variant asks for them.
type capture struct {
	frame       source.Frame
	number      int64 // of all captures in this process
	orientation codec.Orientation
	codecs      codec.Set
	metrics     *metrics

	once    sync.Once
	picture *media.I420
	err     error

	shown time.Time // of an inter-coded source: when picture was captured, if there is one

	lead []*capture // see source.Replay
}

// epoch is that of frames with the picture, in a process with one of its own.
func (c *capture) epoch(own int64) int64 {
	if r := c.frame.Replay; r != nil {
		return r.Epoch
	}
	return own
}

// again reports whether the picture was delivered before.
func (c *capture) again() bool { return c.frame.Replay != nil && c.frame.Replay.Again }

// stamp gives a frame the time of the picture, which was captured, or is replayed, at that time.
func (c *capture) stamp(f *mediav1.VideoFrame, at time.Time) {
	f.CaptureTime = timestamppb.New(at)
	if r := c.frame.Replay; r != nil {
		f.CaptureTime, f.ReplayTime = timestamppb.New(r.Captured.Add(at.Sub(c.frame.Time))), f.CaptureTime
	}
}

// time is when that was captured which a variant takes: the frame as it is, or the picture.
func (c *capture) time(asItIs bool) time.Time {
	if asItIs || c.shown.IsZero() {
		return c.frame.Time
	}
	return c.shown
}

// pixels returns the picture decoded and turned, or nil if there is none. All callers get the same picture, and must
// not change it.
func (c *capture) pixels() (*media.I420, error) {
	// inter-coded frames are decoded in order as they are captured, if anybody wants them
	if !media.InterCoded(c.frame.Format.GetMediaType()) {
		c.once.Do(func() { c.metrics.spend(stepDecode, c.frame.Format.GetMediaType(), c.decodeAlone) })
	}
	return c.picture, c.err
}

// decodeAlone decodes a frame that depends on no other.
func (c *capture) decodeAlone() {
	if c.frame.Picture != nil {
		c.set(c.frame.Picture, nil)
		return
	}
	d, err := c.codecs.NewDecoder(c.frame.Format.GetMediaType())
	if err != nil {
		c.err = err
		return
	}
	defer func() { _ = d.Close() }() // frees memory only
	img, _, err := d.Decode(c.frame)
	c.set(img, err)
	c.metrics.decodedOne(c.frame.Format.GetMediaType(), img)
}

// set turns the decoded picture and stores it.
func (c *capture) set(img *media.I420, err error) {
	c.picture, c.err = img, err
	if err == nil && img != nil && !c.orientation.None() {
		c.picture, c.err = c.codecs.Turn(img, c.orientation)
	}
}

// size is the size of the picture after turning.
func (c *capture) size() (width, height int) {
	return c.orientation.Size(int(c.frame.Format.GetWidthPx()), int(c.frame.Format.GetHeightPx()))
}
