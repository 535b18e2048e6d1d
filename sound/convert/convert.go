// Package convert turns a stream of sound into one of another rate and another number of channels. A [Converter]
// belongs to one goroutine.
package convert

import (
	"fmt"

	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/samplerate"
)

// Converter converts one stream.
type Converter struct {
	from, to pcm.Format
	rate     *samplerate.Converter // nil if the rates are the same
	mixed    []float32             // with the right channels; what the library has not read yet stays
	out      []float32
}

// New returns a converter. Channels are 1 or 2, rates at most 1:24.
func New(from, to pcm.Format) (*Converter, error) {
	c := &Converter{from: from, to: to}
	if from.Rate == to.Rate {
		return c, nil
	}
	var err error
	if c.rate, err = samplerate.New(to.Channels, samplerate.Medium); err != nil {
		return nil, fmt.Errorf("from %v to %v: %w", from, to, err)
	}
	return c, nil
}

// Convert returns what samples become, as far as it is complete; the rest comes with a later call. The result is valid
// until then, and must not be changed. Samples must be clean.
func (c *Converter) Convert(samples []float32) ([]float32, error) {
	if c.from == c.to {
		return samples, nil
	}
	c.mixed = pcm.Mix(c.mixed, samples, c.from.Channels, c.to.Channels)
	if c.rate == nil {
		c.out = append(c.out[:0], c.mixed...)
		c.mixed = c.mixed[:0]
		return c.out, nil
	}
	return c.resample()
}

func (c *Converter) resample() ([]float32, error) {
	ratio := float64(c.to.Rate) / float64(c.from.Rate)
	frames := int(float64(len(c.mixed)/c.to.Channels)*ratio) + 64
	if need := frames * c.to.Channels; cap(c.out) < need {
		c.out = make([]float32, need)
	}
	c.out = c.out[:cap(c.out)/c.to.Channels*c.to.Channels]
	made := 0
	for made < len(c.out) {
		used, n, err := c.rate.Process(c.mixed, c.out[made:], ratio, false)
		if err != nil {
			return nil, err
		}
		c.mixed = c.mixed[:copy(c.mixed, c.mixed[used:])]
		made += n
		if n == 0 {
			break
		}
	}
	for i, s := range c.out[:made] { // a filter can go beyond full scale
		c.out[i] = min(max(s, -1), 1)
	}
	return c.out[:made], nil
}

// Reset forgets what came before, as between two streams.
func (c *Converter) Reset() {
	c.mixed = c.mixed[:0]
	if c.rate != nil {
		c.rate.Reset()
	}
}

// Close frees memory.
func (c *Converter) Close() {
	if c.rate != nil {
		_ = c.rate.Close() // frees memory only
	}
}

// Puller converts the other way round: it makes as much as is asked for, from as much as that takes.
type Puller struct {
	converter *Converter
	fill      func([]float32)
	block     []float32
	ready     []float32
}

// NewPuller returns a puller that has fill make blocks of so many frames in the format from.
func NewPuller(from, to pcm.Format, block int, fill func([]float32)) (*Puller, error) {
	c, err := New(from, to)
	if err != nil {
		return nil, err
	}
	return &Puller{converter: c, fill: fill, block: make([]float32, max(block, 1)*from.Channels)}, nil
}

// Read fills out. Without anything to convert it hands out to fill.
func (p *Puller) Read(out []float32) {
	if p.converter.from == p.converter.to {
		p.fill(out)
		return
	}
	for len(p.ready) < len(out) {
		p.fill(p.block)
		pcm.Clean(p.block)
		made, err := p.converter.Convert(p.block)
		if err != nil { // cannot be with formats that New took
			clear(out)
			return
		}
		p.ready = append(p.ready, made...)
	}
	copy(out, p.ready)
	p.ready = p.ready[:copy(p.ready, p.ready[len(out):])]
}

// Close frees memory.
func (p *Puller) Close() { p.converter.Close() }
