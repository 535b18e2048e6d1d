package pipeline

import (
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/pipeline/ladder"
)

// full is what the pictures of a variant have while nothing limits it.
func (v *variant) full(c *capture) ladder.Step {
	step := ladder.Step{Width: v.key.width, Height: v.key.height, Rate: v.key.rate}
	if step.Width == 0 {
		w, h := c.size()
		step.Width, step.Height = media.Even(&mediav1.VideoFormat{MediaType: v.key.mediaType, PixelFormat: v.key.pixelFormat},
			w, h)
	}
	if v.key.rate == 0 {
		step.Rate = c.frame.Format.GetFrameRateHz()
	}
	if v.key.small {
		step = ladder.Small(step)
	}
	return step
}

// wants decides whether a picture is made, and how.
func (v *variant) wants(c *capture) (order, bool) {
	at, captured := c.time(v.takes(c)), c.frame.Format.GetFrameRateHz()
	if v.governor == nil || v.takes(c) {
		v.pace.Rate = v.key.rate
		return order{step: v.full(c)}, v.pace.Take(at, captured)
	}
	o, paused := v.governor.next(v.full(c), at)
	if paused {
		v.p.metrics.drop(dropPaused, 1)
		return o, false
	}
	v.pace.Rate = o.step.Rate
	if o.step.Rate == captured {
		v.pace.Rate = 0
	}
	taken := v.governor.due(o, v.pace.Take(at, captured), at)
	if !taken && o.limit > 0 {
		v.p.metrics.drop(dropLimit, 1)
	}
	return o, taken
}

// prepare makes an encoder for pictures as ordered, or sets the one that there is.
func (v *variant) prepare(o order) error {
	f := &mediav1.VideoFormat{MediaType: v.key.mediaType, PixelFormat: v.key.pixelFormat, WidthPx: int32(o.step.Width),
		HeightPx: int32(o.step.Height), FrameRateHz: o.step.Rate}
	if v.encoder == nil || v.format.GetWidthPx() != f.GetWidthPx() || v.format.GetHeightPx() != f.GetHeightPx() {
		return v.newEncoder(f, o)
	}
	v.followBitrate(o.bitrate)
	if v.format.GetFrameRateHz() != f.GetFrameRateHz() {
		v.followRate(f)
	}
	return nil
}

func (v *variant) newEncoder(f *mediav1.VideoFormat, o order) error {
	v.closeEncoder()
	e, err := v.p.config.Codecs.NewEncoder(f, codec.Options{Bitrate: int(o.bitrate), JPEGQuality: v.p.config.JPEGQuality})
	if err != nil {
		return err
	}
	v.encoder, v.format, v.bitrate = e, f, o.bitrate
	return nil
}

// followBitrate updates the encoder of a live variant.
func (v *variant) followBitrate(target int64) {
	setter, ok := v.encoder.(codec.BitrateSetter)
	if !ok || target == v.bitrate || target == 0 {
		return
	}
	v.bitrate = target
	if err := setter.SetBitrate(int(target)); err != nil {
		v.warn(err)
	}
}

// followRate updates the encoder when pictures come at another rate.
func (v *variant) followRate(f *mediav1.VideoFormat) {
	v.format = f
	setter, ok := v.encoder.(codec.RateSetter)
	if !ok {
		return
	}
	if err := setter.SetRate(f.GetFrameRateHz()); err != nil {
		v.warn(err)
	}
}

func (v *variant) encode(c *capture, img *media.I420, o order) error {
	begin := time.Now()
	begins := c.epoch(v.p.config.Epoch) != v.life.epoch
	wanted := v.inter && (v.keys.take(begin, o.keysApart()) || begins)
	packet, err := v.encodeOnce(img, wanted, c.time(false))
	if most := o.mostKey(); err == nil && packet.Key && most > 0 && len(packet.Data) > most {
		packet, err = v.encodeSmaller(img, most, c.time(false))
	}
	if err != nil {
		return err
	}
	v.p.metrics.encodedIn(v.key.mediaType, time.Since(begin))
	if v.inter && packet.Key {
		v.keys.made(begin)
		v.p.metrics.keysMade.Inc()
	}
	if len(packet.Data) == 0 {
		v.p.metrics.drop(dropSkipped, 1)
		return nil
	}
	if v.governor != nil {
		v.governor.made(len(packet.Data))
	}
	v.publish(v.output(c, c.time(false), packet), nil)
	return nil
}

func (v *variant) encodeOnce(img *media.I420, key bool, at time.Time) (packet codec.Packet, err error) {
	v.p.metrics.spend(stepEncode, v.key.mediaType, func() { packet, err = v.encoder.Encode(img, key, at) })
	return packet, err
}

// encodeSmaller makes a key frame once more that has become too large for a limit, of so many bytes at most if that is
// possible. An encoder that is new has learned from the first one what to expect. If that is not enough, the picture is
// blurred: the frames after it bring the details, as far as there are bits for them.
func (v *variant) encodeSmaller(img *media.I420, most int, at time.Time) (codec.Packet, error) {
	packet, err := v.encodeOnce(img, true, at)
	for _, part := range []int{2, 4} {
		if err != nil || len(packet.Data) <= most || v.p.config.Codecs.Scale == nil {
			return packet, err
		}
		if err = v.blur.apply(v.p.config.Codecs.Scale, img, part); err == nil {
			packet, err = v.encodeOnce(v.blur.out, true, at)
		}
	}
	return packet, err
}

func (v *variant) closeEncoder() {
	if v.encoder == nil {
		return
	}
	if err := v.encoder.Close(); err != nil {
		v.warn(err)
	}
	v.encoder = nil
}
