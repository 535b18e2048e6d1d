package ear

import (
	"context"
	"errors"
	"fmt"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/playout"
)

const (
	// maxSound and longest bound a piece of sound.
	maxSound = 1 << 20 // bytes
	longest  = time.Second
	// ahead is how far a program may be ahead of the clock.
	ahead = 200 * time.Millisecond
	// Of Opus packets whose sample_count is not said, and of all others, in samples.
	usualPacket, shortestPacket, longestPacket = 960, 120, 5760
)

// Talk is what one program says. It must be closed.
type Talk struct {
	ear     *Ear
	feed    *playout.Feed   // while somebody listens
	heardBy context.Context // of that
	clock   clock
}

// Talk begins to talk.
func (e *Ear) Talk() *Talk { return &Talk{ear: e} }

// Say takes sound: one Opus packet, or samples. It waits while the program is ahead. The error says what is wrong with
// the sound and names the field, or is that of ctx.
func (t *Talk) Say(ctx context.Context, f *mediav1.AudioFrame) error {
	if len(f.GetData()) > maxSound {
		return fmt.Errorf("audio.data has %d bytes, the limit is %d: send shorter pieces", len(f.GetData()), maxSound)
	}
	lasts, err := duration(f)
	if err != nil {
		return fmt.Errorf("audio: %w", err)
	}
	if lasts > longest {
		return fmt.Errorf("audio.data lasts %v, the limit is %v: send shorter pieces", lasts, longest)
	}
	if err := t.clock.wait(ctx, lasts); err != nil {
		return err
	}
	return t.say(ctx, f)
}

// duration is how long sound lasts.
func duration(f *mediav1.AudioFrame) (time.Duration, error) {
	if err := pcm.Validate(f.GetFormat()); err != nil {
		return 0, err
	}
	format := pcm.Format{Rate: int(f.GetFormat().GetSampleRateHz()), Channels: int(f.GetFormat().GetChannels())}
	if f.GetFormat().GetMediaType() == pcm.Opus {
		count := f.GetSampleCount()
		if count == 0 {
			count = usualPacket
		}
		return format.Duration(int64(min(max(count, shortestPacket), longestPacket))), nil
	}
	samples, err := pcm.Decode(nil, f.GetFormat(), f.GetData(), int(f.GetSampleCount()))
	return format.Duration(int64(len(samples) / format.Channels)), err
}

// say has sound heard, if anybody listens.
func (t *Talk) say(ctx context.Context, f *mediav1.AudioFrame) error {
	t.ear.mu.Lock()
	capture := t.ear.capture
	t.ear.mu.Unlock()
	if capture != t.heardBy {
		t.Close() // what waited is of another time
	}
	if capture == nil || capture.Err() != nil {
		return nil
	}
	if t.feed == nil {
		feed, err := t.ear.mixer.Open("", nil)
		if err != nil {
			return nil // others are still heard, or the ear is closed: this piece is lost
		}
		t.feed, t.heardBy = feed, capture
	}
	heard, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(capture, cancel)()
	err := t.feed.Write(heard, f)
	if ctx.Err() == nil && (heard.Err() != nil || errors.Is(err, playout.ErrClosed)) {
		return nil // nobody listens any more
	}
	return err
}

// Close ends the talk. What waits is not heard.
func (t *Talk) Close() {
	if t.feed != nil {
		_ = t.feed.Close() // never fails
	}
	t.feed, t.heardBy = nil, nil
}

// clock holds up who is ahead of it. The zero value is ready to use.
type clock struct{ said time.Time } // when all that was said will have been heard

// wait waits until more sound may be said.
func (c *clock) wait(ctx context.Context, lasts time.Duration) error {
	now := time.Now()
	if c.said.Before(now) {
		c.said = now
	}
	early := c.said.Sub(now) - ahead
	c.said = c.said.Add(lasts)
	if early <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(early)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
