package pipeline

import (
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
}

// decode decodes a capture, and counts what that costs. before are the captures since the last key frame, with which a decoder that is new begins.
func (d *decoding) decode(c *capture, before []*capture) {
	c.metrics.spend(stepDecode, c.frame.Format.GetMediaType(), func() { d.decodeNext(c, before) })
}

func (d *decoding) decodeNext(c *capture, before []*capture) {
	if mediaType := c.frame.Format.GetMediaType(); d.decoder == nil || d.mediaType != mediaType {
		d.stop()
		decoder, err := c.codecs.NewDecoder(mediaType)
		if err != nil {
			c.err = err
			return
		}
		d.decoder, d.mediaType = decoder, mediaType
		d.catchUp(c, before)
	}
	img, shown, err := d.decoder.Decode(c.frame)
	c.shown = shown
	c.set(img, err)
	c.metrics.decodedOne(d.mediaType, img)
}

func (d *decoding) catchUp(c *capture, before []*capture) {
	if c.frame.Key || len(before) > maxCatchUp {
		return
	}
	for _, b := range before {
		img, _, _ := d.decoder.Decode(b.frame) // what cannot be decoded shows in the next picture
		c.metrics.decodedOne(d.mediaType, img)
	}
}

// stop frees the decoder: after a gap another has to begin.
func (d *decoding) stop() {
	if d.decoder != nil {
		_ = d.decoder.Close() // frees memory only
		d.decoder = nil
	}
}
