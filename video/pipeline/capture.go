package pipeline

import (
	"sync"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/encode"
	"github.com/waldo-robot/waldo/video/source"
)

// capture is one captured picture, shared by all variants. Its pixels are made when the first variant asks for them.
type capture struct {
	frame       source.Frame
	number      int64 // of all captures in this process
	orientation encode.Orientation

	once    sync.Once
	picture *media.I420
	err     error
}

// pixels returns the picture decoded and turned; nil if there is none. All callers get the same, and must not change it.
func (c *capture) pixels() (*media.I420, error) {
	if c.frame.Format.GetMediaType() != media.H264 { // that was decoded when it was captured, in order, if anybody wanted it
		c.once.Do(func() { c.decode(&encode.Decoder{}) })
	}
	return c.picture, c.err
}

func (c *capture) decode(d *encode.Decoder) {
	if c.picture, c.err = d.Decode(c.frame); c.err == nil && c.picture != nil {
		c.picture, c.err = c.orientation.Apply(c.picture)
	}
}

// size is the size of the picture after turning.
func (c *capture) size() (width, height int) {
	return c.orientation.Size(int(c.frame.Format.GetWidthPx()), int(c.frame.Format.GetHeightPx()))
}
