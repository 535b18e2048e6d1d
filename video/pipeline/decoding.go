package pipeline

import (
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
)

// maxCatchUp bounds how many pictures are decoded at once for a reader that comes between two key frames: at 2 ms each,
// half a second. A reader behind more of them waits for the next key frame.
const maxCatchUp = 250

// decoding decodes the frames of an inter-coded source: each of them, and in order, for as long as anybody wants the
// pictures. It belongs to the goroutine that captures.
type decoding struct {
	decoder   codec.Decoder
	mediaType string
	newest    *media.I420 // that came out, of a replay
}

// decode decodes a capture, and counts what that costs. before are the captures since the last key frame, with which a
// decoder that is new begins.
func (d *decoding) decode(c *capture, before []*capture) {
	c.metrics.spend(stepDecode, c.frame.Format.GetMediaType(), func() { d.decodeNext(c, before) })
}

func (d *decoding) decodeNext(c *capture, before []*capture) {
	if d.decoder == nil || d.mediaType != c.frame.Format.GetMediaType() {
		if c.err = d.begin(c); c.err != nil {
			return
		}
		if !c.frame.Key && (len(before) <= maxCatchUp || len(c.lead) > 0) {
			d.catchUp(c, before)
		}
	}
	img, shown, err := d.decoder.Decode(c.frame)
	c.shown = shown
	c.set(img, err)
	c.metrics.decodedOne(d.mediaType, img)
	d.keep(c, img)
}

// begin makes a decoder for the frames of a capture.
func (d *decoding) begin(c *capture) error {
	d.stop()
	decoder, err := c.codecs.NewDecoder(c.frame.Format.GetMediaType())
	if err != nil {
		return err
	}
	d.decoder, d.mediaType = decoder, c.frame.Format.GetMediaType()
	return nil
}

func (d *decoding) catchUp(c *capture, before []*capture) {
	for _, b := range before {
		img, _, _ := d.decoder.Decode(b.frame) // what cannot be decoded shows in the next picture
		c.metrics.decodedOne(d.mediaType, img)
		d.keep(c, img)
	}
}

// keep keeps a picture of a replay, which may stand still at it.
func (d *decoding) keep(c *capture, img *media.I420) {
	if c.frame.Replay != nil && img != nil {
		d.newest = img
	}
}

// repeat gives a capture the picture that came out last. before are the captures since the last key frame, which ends
// with that picture.
func (d *decoding) repeat(c *capture, before []*capture) {
	c.metrics.spend(stepDecode, c.frame.Format.GetMediaType(), func() {
		if d.decoder == nil {
			if c.err = d.begin(c); c.err != nil {
				return
			}
			d.catchUp(c, before)
		}
		c.set(d.newest, nil)
	})
}

// stop frees the decoder: after a gap another has to begin.
func (d *decoding) stop() {
	if d.decoder != nil {
		_ = d.decoder.Close() // frees memory only
		d.decoder, d.newest = nil, nil
	}
}
