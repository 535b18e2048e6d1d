package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/pipeline/ladder"
	"github.com/waldo-robot/waldo/video/pipeline/limits"
)

// ErrNoBitrate is returned for the limit of a stream that has no bit rate: its pictures are as large as they are.
var ErrNoBitrate = errors.New("the stream has no bit rate that could be limited")

// leastUsual is the bit rate of the smallest pictures if nothing is configured.
const leastUsual = 100_000

// Bitrate is what a stream may have, in bit/s.
type Bitrate struct {
	InForce    int64 // 0 while it is paused
	Configured int64 // without any limit
}

// SetBitrate changes the target of each live variant, starting with its next picture. It fails with ErrNative if the
// source itself makes inter-coded frames that pass through.
func (p *Pipeline) SetBitrate(bps int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info != nil && media.InterCoded(p.info.Current.GetMediaType()) && p.turned.None() {
		return ErrNative
	}
	p.bitrate.Store(int64(bps))
	return nil
}

// LimitBitrate takes a limit of a stream, which counts from its next picture, and returns what is in force then. It
// fails with device.ErrAway without a source, ErrNative if the source itself makes the stream's frames, ErrNoBitrate,
// and limits.ErrTooMany.
func (p *Pipeline) LimitBitrate(s Stream, l limits.Limit) (Bitrate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.info == nil:
		return Bitrate{}, device.ErrAway
	case p.passes(s.key()) && media.InterCoded(s.MediaType):
		return Bitrate{}, ErrNative
	case !media.InterCoded(s.MediaType):
		return Bitrate{}, fmt.Errorf("%w: it is %s; limit one of %s or %s, or read fewer pictures", ErrNoBitrate, s.MediaType,
			media.H264, media.VP8)
	case !p.config.Codecs.Encodes(s.MediaType):
		return Bitrate{}, fmt.Errorf("%w: the camera carries nothing in it at present", ErrNoBitrate)
	}
	life, now := p.lifeOf(s), time.Now()
	_, before := life.limits.At(now)
	if err := life.limits.Put(l, now); err != nil {
		return Bitrate{}, err
	}
	lowest, paused := life.limits.At(now)
	if paused && !before {
		p.metrics.streams.pauses.WithLabelValues(s.labels()...).Inc()
	}
	b := Bitrate{Configured: p.configured(s)}
	if b.InForce = lower(b.Configured, lowest); paused {
		b.InForce = 0
	}
	return b, nil
}

// Kept is what callers have changed, and what outlives the process if another one takes over.
type Kept struct {
	Bitrate int64          `json:"bitrate"` // see SetBitrate
	Limits  []limits.Limit `json:"limits"`  // see LimitBitrate
}

// Kept returns what callers have changed of a stream.
func (p *Pipeline) Kept(s Stream) Kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Kept{p.bitrate.Load(), p.lifeOf(s).limits.All(time.Now())}
}

// Keep takes what callers have changed of a stream, of the same configuration in another process.
func (p *Pipeline) Keep(s Stream, k Kept) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.Bitrate > 0 {
		p.bitrate.Store(k.Bitrate)
	}
	for _, l := range k.Limits {
		if l.Check() == nil && l.Bitrate > 0 {
			_ = p.lifeOf(s).limits.Put(l, time.Now()) // there were no more of them in the other process
		}
	}
}

// configured is the bit rate of a stream without limits. The caller holds mu, and there is a source.
func (p *Pipeline) configured(s Stream) int64 {
	width, height, rate := p.oriented()
	return p.usual(s, ladder.Step{Width: width, Height: height, Rate: rate})
}

// usual is the bit rate of a stream of full pictures without limits.
func (p *Pipeline) usual(s Stream, full ladder.Step) int64 {
	usual := p.bitrate.Load()
	if usual == 0 {
		usual = int64(max(full.Bitrate(ladder.UsualBits), leastUsual))
	}
	if s.Small {
		return min(usual, ladder.SmallBitrate)
	}
	return usual
}

// lower is the lower of a bit rate and a limit, where 0 is no limit.
func lower(bitrate, limit int64) int64 {
	if limit > 0 {
		return min(bitrate, limit)
	}
	return bitrate
}
