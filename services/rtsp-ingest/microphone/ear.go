package microphone

import (
	"time"

	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/convert"
	"github.com/waldo-robot/waldo/sound/pcm"
)

const (
	// jitter is by how much a stamp may be late without anything missing.
	jitter = 40 * time.Millisecond
	// trust is by how much stamps and capture times may differ about a gap.
	trust = 60 * time.Millisecond
)

// ear hears one encoding: it decodes, fills gaps and converts.
type ear struct {
	encoding  encoding
	decoder   decoder
	from, to  pcm.Format
	converter *convert.Converter // of what the last block was, nil before the first

	begun     bool
	due       time.Time     // when the next block should be captured …
	stamp     time.Duration // … and its time on the camera's clock
	broken    bool          // the last block could not be decoded
	in, out   int64         // frames that went through the converter since it was reset
	emptiness []float32
}

// newEar returns an ear for an encoding that passed check.
func newEar(e encoding, to pcm.Format) (*ear, error) {
	d, err := makers[e.mediaType](e)
	if err != nil {
		return nil, err
	}
	return &ear{encoding: e, decoder: d, to: to}, nil
}

func (e *ear) close() {
	if e == nil {
		return
	}
	e.decoder.close()
	if e.converter != nil {
		e.converter.Close()
	}
}

// hear gives a block to take, after silence in place of what is missing before it.
func (e *ear) hear(b block, take func([]float32, time.Time)) error {
	d, err := e.decoder.decode(b.Data, b.Lost > 0 || e.broken)
	if err != nil {
		e.broken = true
		return err
	}
	if len(d.samples) == 0 {
		return nil
	}
	if err := e.tune(d.format); err != nil {
		return err
	}
	b.at, b.Time = b.at.Add(-d.late), b.Time-d.late
	if e.begun {
		if err := e.fill(b, take); err != nil {
			return err
		}
	}
	length := e.from.Duration(int64(len(d.samples) / e.from.Channels))
	e.begun, e.broken, e.due, e.stamp = true, false, b.at.Add(length), b.Time+length
	return e.give(d.samples, b.at, take)
}

// tune makes the converter one for what was decoded. Most sound has the same format all the time.
func (e *ear) tune(from pcm.Format) error {
	if e.converter != nil && from == e.from {
		return nil
	}
	c, err := convert.New(from, e.to)
	if err != nil {
		return err
	}
	if e.converter != nil {
		e.converter.Close()
	}
	e.converter, e.from, e.in, e.out = c, from, 0, 0
	return nil
}

// fill gives silence in place of what is missing before a block. A long gap is the pipeline's.
func (e *ear) fill(b block, take func([]float32, time.Time)) error {
	gap := e.missing(b)
	if gap > capture.Jump {
		e.converter.Reset()
		e.in, e.out = 0, 0
		return nil
	}
	n := e.from.Frames(max(gap, 0)) * e.from.Channels
	if n == 0 {
		return nil
	}
	if cap(e.emptiness) < n {
		e.emptiness = make([]float32, n)
	}
	return e.give(e.emptiness[:n], e.due, take)
}

// missing returns how much sound is missing before a block.
func (e *ear) missing(b block) time.Duration {
	gap, stamped := b.at.Sub(e.due), b.Time-e.stamp
	if gap > capture.Jump || (gap-stamped).Abs() > trust {
		return gap
	}
	if b.Lost == 0 && !e.broken && stamped < jitter {
		return 0
	}
	return stamped
}

// give converts samples, the first of which was captured at that time. They come out later, and so earlier ones with
// them.
func (e *ear) give(samples []float32, at time.Time, take func([]float32, time.Time)) error {
	at = at.Add(e.to.Duration(e.out) - e.from.Duration(e.in))
	converted, err := e.converter.Convert(samples)
	if err != nil {
		return err
	}
	e.in += int64(len(samples) / e.from.Channels)
	e.out += int64(len(converted) / e.to.Channels)
	if len(converted) > 0 {
		take(converted, at)
	}
	return nil
}
