package playout

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// Of a feed.
const (
	feedRoom = 200 * time.Millisecond // that waits at most
	// that waits before any of it is played, so that a writer in real time is not always too late
	feedStart   = 40 * time.Millisecond
	feedClosing = 100 * time.Millisecond // after which a closed feed is gone, whether it could fade or not
)

// Feed is a talker who is held up while 200 ms of their sound wait. Write and Drain are for one goroutine at a time;
// Close is for any.
type Feed struct {
	mixer *Mixer
	name  string
	moved chan struct{} // holds a token when something was played, or the feed has ended

	conversion // of the writer

	// Guarded by the mixer's lock.
	meter    pcm.Meter
	line     line
	talk     time.Time // when it began to talk; zero while it does not
	said     int64     // frames played since then
	idle     int       // frames since there was something to play
	cut      bool      // has talked for too long
	draining bool      // nothing more will come for now
	closed   time.Time // zero while it is open
	played   int64     // frames
}

// Open adds a talker who waits until there is room for what they say. The name is for people. The format holds for all
// frames without one of their own; nil if all bring theirs. It fails with pcm.ErrFormat, [ErrTooMany] and [ErrClosed].
func (m *Mixer) Open(name string, format *mediav1.AudioFormat) (*Feed, error) {
	f := &Feed{mixer: m, name: name, moved: make(chan struct{}, 1), line: newLine(m.config),
		conversion: conversion{rate: m.config.Rate, channels: m.config.Channels}}
	if format != nil {
		if err := f.setFormat(proto.CloneOf(format)); err != nil {
			return nil, fmt.Errorf("talker %q: %w", name, err)
		}
	}
	now := m.config.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	switch {
	case m.closed:
		return nil, fmt.Errorf("talker %q: %w", name, ErrClosed)
	case len(m.voices) >= m.config.MaxTalkers:
		m.metrics.refusedTooMany.Inc()
		return nil, fmt.Errorf("talker %q: %w: %d already", name, ErrTooMany, len(m.voices))
	}
	m.add(f)
	return f, nil
}

// Write queues the sound of frame: one Opus packet, or any number of raw samples (`S16LE`, `F32LE`) at 8000 to 192000
// Hz and 1 or 2 channels. It looks at nothing but format, sample count and data. A format in frame holds from then on.
// It waits while there is no room. It fails with pcm.ErrFormat if the data is not in the format, [ErrTooLong] until a
// pause, [ErrClosed], and with the error of ctx.
func (f *Feed) Write(ctx context.Context, frame *mediav1.AudioFrame) error {
	if err := f.write(ctx, frame); err != nil {
		return fmt.Errorf("talker %q: %w", f.name, err)
	}
	return nil
}

func (f *Feed) write(ctx context.Context, frame *mediav1.AudioFrame) error {
	if err := f.push(ctx, nil); err != nil {
		return err
	}
	if format := frame.GetFormat(); format != nil && !proto.Equal(format, f.format) {
		if err := f.flush(ctx); err != nil {
			return err
		}
		if err := f.setFormat(proto.CloneOf(format)); err != nil {
			return err
		}
	}
	if err := f.decode(frame); err != nil {
		return err
	}
	invalid, clipped := pcm.Clean(f.decoded)
	f.mixer.metrics.invalid.Add(float64(invalid))
	f.mixer.metrics.clipped.Add(float64(clipped))
	for piece := range f.pieces() {
		samples, err := f.convert(piece)
		if err != nil {
			return err
		}
		if err := f.push(ctx, samples); err != nil {
			return err
		}
	}
	return nil
}

// flush queues what the filter still holds.
func (f *Feed) flush(ctx context.Context) error {
	samples, err := f.rest()
	if err != nil {
		return err
	}
	return f.push(ctx, samples)
}

// Drain waits until all that was written is played.
func (f *Feed) Drain(ctx context.Context) error {
	err := f.flush(ctx)
	if err == nil {
		err = f.wait(ctx, func() (bool, error) {
			f.draining = f.line.waiting() > 0
			return !f.draining, f.state()
		})
	}
	if err != nil {
		return fmt.Errorf("talker %q: %w", f.name, err)
	}
	return nil
}

// Played returns how much of what was written has been played.
func (f *Feed) Played() time.Duration {
	f.mixer.mu.Lock()
	defer f.mixer.mu.Unlock()
	return f.lasts(f.played)
}

// Close leaves the mixer. What waits is not played. It may be called more than once.
func (f *Feed) Close() error {
	f.mixer.mu.Lock()
	defer f.mixer.mu.Unlock()
	f.end(f.mixer.config.Now())
	return nil
}

func (f *Feed) end(now time.Time) {
	if f.closed.IsZero() {
		f.closed = now
		f.line.drop()
		signal(f.moved)
	}
}

// push queues samples as there is room.
func (f *Feed) push(ctx context.Context, samples []float32) error {
	return f.wait(ctx, func() (bool, error) {
		f.draining = false
		if err := f.state(); err != nil {
			return false, err
		}
		if len(samples) > 0 && f.talk.IsZero() {
			f.talk, f.said, f.idle = f.mixer.config.Now(), 0, 0
		}
		samples = samples[f.line.push(samples):]
		return len(samples) == 0, nil
	})
}

// wait tries, with the lock held, until it is done.
func (f *Feed) wait(ctx context.Context, try func() (bool, error)) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.mixer.mu.Lock()
		done, err := try()
		f.mixer.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-f.moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// state returns why nothing more can be written. It cuts the talker off once they have talked for too long.
func (f *Feed) state() error {
	limit := f.mixer.config.MaxTalk
	if !f.cut && limit > 0 && f.lasts(f.said) >= limit {
		f.cut = true
		f.line.drop()
		f.mixer.metrics.refusedTooLong.Inc()
	}
	switch {
	case !f.closed.IsZero():
		return ErrClosed
	case f.cut:
		return ErrTooLong
	}
	return nil
}

func (f *Feed) read(out []float32, _ time.Time) {
	n := f.line.pop(out, f.draining)
	f.meter.Add(out)
	f.played += int64(n / f.channels)
	f.said += int64(n / f.channels)
	if n > 0 {
		f.idle = 0
		signal(f.moved)
		return
	}
	if f.line.waiting() > 0 {
		return
	}
	f.idle += len(out) / f.channels
	if f.lasts(int64(f.idle)) >= Pause {
		f.talk, f.said, f.cut = time.Time{}, 0, false
	}
}

func (f *Feed) talker(time.Time) *audiov1.Talker {
	if f.talk.IsZero() || f.cut || !f.closed.IsZero() {
		return nil
	}
	waits := f.lasts(int64(f.line.waiting() / f.channels))
	return &audiov1.Talker{Name: f.name, Since: timestamppb.New(f.talk), Level: f.meter.Take(),
		Buffered: durationpb.New(waits)}
}

// lasts is how long so many frames of the speaker last.
func (f *Feed) lasts(frames int64) time.Duration {
	return pcm.Format{Rate: f.rate, Channels: f.channels}.Duration(frames)
}

func (f *Feed) ended(now time.Time) bool {
	return !f.closed.IsZero() && (f.line.silent() || now.Sub(f.closed) > feedClosing)
}

// signal leaves one token; more would say nothing new.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
