package play

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/waldo-robot/waldo/pkg/boottime"
)

const (
	// maxLate is how late a message may be; beyond it one goes on as after a jump. It doubles, up to mostLate, for a sink
	// or a disk that takes longer than that to show the place, so that something comes after it.
	maxLate  = time.Second
	mostLate = time.Minute
	// readAhead is how many messages are read before their time, so that nothing waits for the disk.
	readAhead = 64
)

// Sink takes what is played.
type Sink interface {
	// Jump says that what follows does not continue what came before. It is called before the first message, too.
	Jump()
	// Take takes a message, at its time unless it is marked.
	Take(m Message)
	// Settled says that everything has come that shows the place after a jump.
	Settled()
}

// Pacer is a [Sink] that wants to know how fast it goes.
type Pacer interface {
	// Pace is called before the first message, and when the player begins or ceases to play, or changes its speed.
	Pace(playing bool, speed float64)
}

// Config says what is played, and by whom.
type Config struct {
	Recording *Recording
	Source    Source
	// Channels chooses the channels; nil: all.
	Channels func(*Channel) bool
	// Start says how a channel begins after a jump; nil: [StartOf].
	Start func(*Channel) Start
	// Now is the time by which the clock goes; nil: that of package boottime.
	Now func() time.Duration
}

// Run plays until ctx ends, and then returns its error, or until the recording cannot be read.
func Run(ctx context.Context, c Config, sink Sink) error {
	p := &player{Config: c, sink: sink, late: maxLate}
	if p.Now == nil {
		p.Now = boottime.Now
	}
	if p.Start == nil {
		p.Start = StartOf
	}
	for _, one := range c.Recording.Channels() {
		if c.Channels == nil || c.Channels(one) {
			p.channels = append(p.channels, one)
		}
	}
	for {
		if err := p.fromHere(ctx); err != nil {
			return err
		}
	}
}

// errJumped ends what shows a place that is not wanted any more.
var errJumped = errors.New("the clock has jumped")

type player struct {
	Config
	sink     Sink
	channels []*Channel
	pace     Clock         // of which the sink was told
	late     time.Duration // how late a message may be now
}

// newest returns the newest clock, and tells the sink if it goes otherwise.
func (p *player) newest() (c Clock, known bool, newer <-chan struct{}) {
	c, known, newer = p.Source.Newest()
	if pacer, wants := p.sink.(Pacer); wants && known && (c.Playing != p.pace.Playing || c.Speed != p.pace.Speed) {
		p.pace = c
		pacer.Pace(c.Playing, c.Speed)
	}
	return c, known, newer
}

// fromHere plays from where the clock is to the next jump.
func (p *player) fromHere(ctx context.Context) error {
	clock, err := p.clock(ctx)
	if err != nil {
		return err
	}
	place := clock.Place(p.Now())
	p.sink.Jump()
	err = p.Recording.ahead(place, p.channels, p.Start, func(m Message) error {
		if newest, _, _ := p.newest(); newest.Jump != clock.Jump {
			return errJumped
		}
		m.Ahead = true
		p.sink.Take(m)
		return ctx.Err()
	})
	if errors.Is(err, errJumped) {
		return nil
	}
	if err != nil {
		return err
	}
	p.sink.Settled()
	return p.goOn(ctx, clock.Jump, place)
}

// clock waits for the first clock.
func (p *player) clock(ctx context.Context) (Clock, error) {
	for {
		clock, known, newer := p.newest()
		if known {
			return clock, ctx.Err()
		}
		select {
		case <-newer:
		case <-ctx.Done():
			return Clock{}, ctx.Err()
		}
	}
}

// goOn gives the messages after a place, each at its time, until the clock jumps.
func (p *player) goOn(ctx context.Context, jump int64, after time.Duration) error {
	messages := p.Recording.Messages(after+1, 0, p.wants)
	ahead := newAhead(ctx, messages)
	defer ahead.stop()
	for {
		m, err := ahead.next(ctx)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		due, goes, err := p.await(ctx, jump, m.Offset, end)
		if !goes {
			return err
		}
		m.Due = due
		p.sink.Take(m)
	}
}

func (p *player) wants(c *Channel) bool { return p.Config.Channels == nil || p.Config.Channels(c) }

// await waits until the clock comes to a place, which never happens after the end, and returns when that was. It
// returns false when the clock has jumped instead, or is far ahead.
func (p *player) await(ctx context.Context, jump int64, place time.Duration, end bool) (due time.Duration, goes bool,
	err error) {
	for {
		clock, _, newer := p.newest()
		if clock.Jump != jump {
			return 0, false, ctx.Err()
		}
		left := time.Duration(-1) // for ever
		if clock.Playing && !end {
			due = clock.When(place)
			left = due - p.Now()
			if left < -p.late {
				p.late = min(2*p.late, mostLate)
				return 0, false, ctx.Err()
			}
			if left <= 0 {
				return due, true, ctx.Err()
			}
			p.late = maxLate
		}
		if err := sleep(ctx, left, newer); err != nil {
			return 0, false, err
		}
	}
}

// sleep returns after some time, unless that is negative, or when there is a newer clock.
func sleep(ctx context.Context, d time.Duration, newer <-chan struct{}) error {
	var due <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-newer:
	case <-due:
	}
	return nil
}
