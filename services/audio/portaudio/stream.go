package portaudio

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	pa "github.com/gordonklaus/portaudio"

	"github.com/waldo-robot/waldo/services/audio/card"
	"github.com/waldo-robot/waldo/services/audio/convert"
	"github.com/waldo-robot/waldo/services/audio/pcm"
	"github.com/waldo-robot/waldo/services/audio/ring"
)

const (
	// silent is how long no callback may come from a card that works.
	silent = 500 * time.Millisecond
	// slowStart is how long a card, or a sound server behind it, may take for its first callback.
	slowStart  = 5 * time.Second
	watchEvery = 100 * time.Millisecond
	ringBlocks = 64
)

// source is one direction of one device, as it was found to work.
type source struct {
	direction
	config Config
	device *pa.DeviceInfo
	format pcm.Format // of the hardware
}

// find finds a device and a format that it offers, as near to the wanted one as can be.
func find(d direction, name string, config Config) (*source, error) {
	device, err := d.find(name)
	if err != nil {
		return nil, err
	}
	s := &source{direction: d, config: config, device: device}
	channels := min(config.Format.Channels, d.channels(device))
	var failed []error
	for _, rate := range []int{config.Format.Rate, int(device.DefaultSampleRate)} {
		s.format = pcm.Format{Rate: rate, Channels: channels}
		err := s.try()
		if err == nil {
			return s, nil
		}
		failed = append(failed, fmt.Errorf("%v: %w", s.format, err))
	}
	return nil, s.describe(errors.Join(failed...))
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

// describe says of an error of PortAudio which device had it and of which sort it is.
func (s *source) describe(err error) error {
	kind := card.ErrAway
	switch {
	case errors.Is(err, pa.DeviceUnavailable):
		kind = card.ErrBusy
	case errors.Is(err, pa.InvalidSampleRate), errors.Is(err, pa.InvalidChannelCount), errors.Is(err, pa.SampleFormatNotSupported):
		kind = card.ErrFormat
	}
	return fmt.Errorf("%w: %s %q: %w", kind, s.word, s.device.Name, err)
}

// run runs a stream until ctx ends or the card is silent. Whenever wait returns, that is looked at; it should not wait long.
func (s *source) run(ctx context.Context, call callback, wait func(poll <-chan time.Time)) (err error) {
	var last atomic.Int64 // time of the last callback since begin
	begin := time.Now()
	stream, err := s.open(func(samples []float32, times pa.StreamCallbackTimeInfo, flags pa.StreamCallbackFlags) {
		last.Store(int64(time.Since(begin)))
		s.note(flags)
		call(samples, times, flags)
	})
	if err != nil {
		return s.describe(err)
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	if err := stream.Start(); err != nil {
		return s.describe(err)
	}
	defer func() { _ = stream.Abort() }() // closing it, which follows, ends it in any case
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		wait(tick.C)
		heard := last.Load()
		quiet, limit := time.Since(begin)-time.Duration(heard), silent
		if heard == 0 {
			limit = slowStart
		}
		if quiet > limit {
			return fmt.Errorf("%w: %s %q has been silent for %v: it was unplugged, or its driver hangs",
				card.ErrAway, s.word, s.device.Name, quiet.Round(time.Millisecond))
		}
	}
	return nil
}

// note counts what the hardware says that it lost.
func (s *source) note(flags pa.StreamCallbackFlags) {
	if flags&(pa.InputOverflow|pa.OutputOverflow) != 0 {
		s.config.Trouble("overflow")
	}
	if flags&(pa.InputUnderflow|pa.OutputUnderflow) != 0 {
		s.config.Trouble("underflow")
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
	put := func(samples []float32, times pa.StreamCallbackTimeInfo, _ pa.StreamCallbackFlags) {
		blocks.Put(samples, captured(times, m.format.Duration(int64(len(samples)/m.format.Channels))))
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
			m.config.Trouble("ring")
		}
		if failed != nil {
			stop()
		}
	})
	return errors.Join(err, failed)
}

// captured is when the first frame of a block was captured: as the hardware says, if that can be.
func captured(times pa.StreamCallbackTimeInfo, block time.Duration) time.Time {
	ago := times.CurrentTime - times.InputBufferAdcTime
	if times.InputBufferAdcTime <= 0 || ago < block || ago > time.Second {
		ago = block
	}
	return time.Now().Add(-ago)
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
