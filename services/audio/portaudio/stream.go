package portaudio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pa "github.com/gordonklaus/portaudio"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/convert"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/ring"
)

const (
	// silent is how long no callback may come from a card that works.
	silent = 500 * time.Millisecond
	// slowStart is how long a card, or a sound server behind it, may take until callbacks come evenly. A few may come at
	// once, to fill buffers.
	slowStart  = 5 * time.Second
	watchEvery = 100 * time.Millisecond
	ringBlocks = 64
)

// source is one direction of one device, as it was found to work.
type source struct {
	direction
	library *Library
	config  Config
	device  *pa.DeviceInfo
	format  pcm.Format // of the hardware
}

// find finds a device and a format that it offers, as near to the wanted one as can be.
func (l *Library) find(d direction, name string, config Config) (*source, error) {
	device, err := d.find(name)
	if err != nil {
		return nil, err
	}
	s := &source{direction: d, library: l, config: config, device: device}
	channels := min(config.Format.Channels, d.channels(device))
	rates := []int{config.Format.Rate, int(device.DefaultSampleRate)}
	var failed []error
	var tried []string
	for _, rate := range slices.Compact(rates) {
		s.format = pcm.Format{Rate: rate, Channels: channels}
		err := s.try()
		if err == nil {
			return s, nil
		}
		failed, tried = append(failed, err), append(tried, s.format.String())
	}
	return nil, s.describe(fmt.Errorf("at %s: %w", strings.Join(tried, " and at "), failed[0]))
}

// try opens the device for a moment.
func (s *source) try() error {
	stream, err := s.open(func([]float32, pa.StreamCallbackTimeInfo, pa.StreamCallbackFlags) {})
	if err != nil {
		return err
	}
	return stream.Close()
}

type callback func(samples []float32, times pa.StreamCallbackTimeInfo, flags pa.StreamCallbackFlags)

func (s *source) open(call callback) (*pa.Stream, error) {
	block := s.config.Block * s.format.Rate / s.config.Format.Rate
	p := pa.StreamParameters{SampleRate: float64(s.format.Rate), FramesPerBuffer: max(block, 1)}
	part := pa.StreamDeviceParameters{Device: s.device, Channels: s.format.Channels}
	two := 2 * s.format.Duration(int64(block)) // less would have the hardware run dry at every hiccup
	if s.word == input.word {
		part.Latency = max(s.device.DefaultLowInputLatency, two)
		p.Input = part
	} else {
		part.Latency = max(s.device.DefaultLowOutputLatency, two)
		p.Output = part
	}
	return pa.OpenStream(p, (func([]float32, pa.StreamCallbackTimeInfo, pa.StreamCallbackFlags))(call))
}

// describe adds to an error of PortAudio its device and its kind.
func (s *source) describe(err error) error {
	kind := device.ErrAway
	switch {
	case errors.Is(err, pa.DeviceUnavailable):
		kind = device.ErrBusy
	case errors.Is(err, pa.InvalidSampleRate), errors.Is(err, pa.InvalidChannelCount),
		errors.Is(err, pa.SampleFormatNotSupported):
		kind = card.ErrFormat
	}
	return fmt.Errorf("%w: %s %q: %w", kind, s.word, s.device.Name, err)
}

// watched is between the callback of a stream and what it works on: it knows when the last callback came, and is shut
// when nobody waits for the next.
type watched struct {
	begin time.Time
	last  atomic.Int64 // time of the last callback since begin

	mu   sync.Mutex // never waited for by a callback
	shut bool
}

// call wraps a callback.
func (w *watched) call(s *source, call callback) callback {
	return func(samples []float32, times pa.StreamCallbackTimeInfo, flags pa.StreamCallbackFlags) {
		w.last.Store(int64(time.Since(w.begin)))
		if !w.mu.TryLock() {
			clear(samples)
			return
		}
		defer w.mu.Unlock()
		if w.shut {
			clear(samples)
			return
		}
		s.note(flags)
		call(samples, times, flags)
	}
}

// quiet is for how long no callback has come.
func (w *watched) quiet() time.Duration { return time.Since(w.begin) - time.Duration(w.last.Load()) }

// close waits for a callback under way, and lets no other through.
func (w *watched) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = true
}

// run runs a stream until ctx ends or the card is silent. Whenever wait returns, that is looked at; it should not wait
// long. After run call is not called any more, whatever PortAudio does.
func (s *source) run(ctx context.Context, call callback, wait func(poll <-chan time.Time)) (err error) {
	w := watched{begin: time.Now()}
	stop, err := s.start(w.call(s, call))
	if err != nil {
		return err
	}
	defer w.close()
	defer func() { err = errors.Join(err, stop()) }()
	started := time.Now()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		wait(tick.C)
		if quiet := w.quiet(); quiet > silent && time.Since(started) > slowStart {
			return fmt.Errorf("%w: %s %q has been silent for %v: it was unplugged, or its driver hangs",
				device.ErrAway, s.word, s.device.Name, quiet.Round(time.Millisecond))
		}
	}
	return nil
}

// start starts a stream, which stop ends.
func (s *source) start(call callback) (stop func() error, err error) {
	l := s.library
	var stream *pa.Stream
	end := func() error {
		_ = stream.Abort() // closing it, which follows, ends it in any case
		return errors.Join(stream.Close(), l.release())
	}
	err = l.within(slowOpen, func() (err error) {
		if stream, err = s.open(call); err != nil {
			return s.describe(err)
		}
		l.uses++
		if err := stream.Start(); err != nil {
			return errors.Join(s.describe(err), end())
		}
		return nil
	}, func() { _ = end() }) // nobody is left who could be told
	return func() error { return l.within(slowClose, end, func() {}) }, err
}

// note counts what the hardware reports as lost.
func (s *source) note(flags pa.StreamCallbackFlags) {
	if flags&(pa.InputOverflow|pa.OutputOverflow) != 0 {
		s.config.Trouble(Overflow)
	}
	if flags&(pa.InputUnderflow|pa.OutputUnderflow) != 0 {
		s.config.Trouble(Underflow)
	}
}

type microphone struct{ *source }

// Capture implements card.Microphone.
func (m *microphone) Capture(ctx context.Context, take func([]float32, time.Time)) error {
	converter, err := convert.New(m.format, m.config.Format)
	if err != nil {
		return err
	}
	defer converter.Close()
	blocks := ring.New(ringBlocks, 2*m.config.Block*m.format.Channels)
	var times clock
	put := func(samples []float32, told pa.StreamCallbackTimeInfo, _ pa.StreamCallbackFlags) {
		blocks.Put(samples, times.captured(told, time.Now(), m.format.Duration(int64(len(samples)/m.format.Channels))))
	}
	var failed error
	deliver := func(samples []float32, at time.Time) {
		pcm.Clean(samples)
		converted, err := converter.Convert(samples)
		if err != nil {
			failed = err
		} else if len(converted) > 0 {
			take(converted, at)
		}
	}
	capturing, stop := context.WithCancel(ctx)
	defer stop()
	var lost uint64
	err = m.run(capturing, put, func(poll <-chan time.Time) {
		blocks.Take(ctx, poll, deliver)
		for now := blocks.Lost(); lost < now; lost++ {
			m.config.Trouble(RingFull)
		}
		if failed != nil {
			stop()
		}
	})
	return errors.Join(err, failed)
}

type speaker struct{ *source }

// Play implements card.Speaker.
func (s *speaker) Play(ctx context.Context, fill func([]float32)) error {
	puller, err := convert.NewPuller(s.config.Format, s.format, s.config.Block, fill)
	if err != nil {
		return err
	}
	defer puller.Close()
	put := func(samples []float32, _ pa.StreamCallbackTimeInfo, _ pa.StreamCallbackFlags) { puller.Read(samples) }
	return s.run(ctx, put, func(poll <-chan time.Time) {
		select {
		case <-poll:
		case <-ctx.Done():
		}
	})
}
