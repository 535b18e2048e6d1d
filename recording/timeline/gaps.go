package timeline

import (
	"context"
	"time"

	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/recording/read"
)

// mostLost is from when on a gap in the numbers is no loss but another run of the process.
const mostLost = 1 << 20

// gaps tells what a file lacks.
func (t *track) gaps(ctx context.Context, f *read.File) error {
	ends := map[stream]read.Run{}
	for _, c := range f.Channels() {
		if _, counted := c.Waldo.Counted(); counted == "" || c.Count == 0 {
			continue
		}
		of := stream{c.Waldo.Device, c.Waldo.Stream}
		l := losses{track: t, file: f, channel: c, before: t.runs[of]}
		for r := range f.Runs(c) {
			if err := ctx.Err(); err != nil {
				return err
			}
			l.run(r)
		}
		l.end()
		if _, twice := ends[of]; twice || l.before == t.runs[of] {
			l.before = read.Run{} // it is not known which message was the last one
		}
		ends[of] = l.before
	}
	for of, last := range ends {
		if _, known := t.runs[of]; known || len(t.runs) < maxStreams {
			t.runs[of] = last
		}
	}
	return nil
}

// losses finds what a channel lacks.
type losses struct {
	track   *track
	file    *read.File
	channel *read.Channel
	looked  int // at so many chunks more closely
	before  read.Run
	event   Event // that may go on; its Count is 0 if there is none
}

// run goes on with the messages of a chunk.
func (l *losses) run(r read.Run) {
	if l.before.Count > 0 {
		l.lost(int64(r.FirstSequence)-int64(l.before.LastSequence)-1, l.before.Last, r.First)
	}
	if n := int64(r.LastSequence) - int64(r.FirstSequence) + 1 - int64(r.Count); n > 0 && n <= mostLost {
		l.inside(r, n)
	}
	l.before = r
}

// maxLooked bounds at how many chunks of a channel is looked more closely.
const maxLooked = 100

// inside tells that so many messages are missing in a chunk, and of the first chunks where.
func (l *losses) inside(r read.Run, n int64) {
	if l.looked++; l.looked > maxLooked {
		l.lost(n, r.First, r.Last)
		return
	}
	only := func(c *read.Channel) bool { return c == l.channel }
	messages := l.file.Messages(read.Query{From: r.First, To: r.Last.Add(1), Channels: only, Sparse: true})
	before, err := messages.Next()
	for err == nil {
		var m read.Message
		if m, err = messages.Next(); err == nil {
			l.lost(int64(m.Sequence)-int64(before.Sequence)-1, before.Logged, m.Logged)
			before = m
		}
	}
}

// lost tells that so many messages are missing between two times.
func (l *losses) lost(n int64, from, to time.Time) {
	if n <= 0 || n > mostLost {
		return
	}
	if l.event.Count > 0 && from.Sub(l.event.End) <= closely {
		l.event.End = to
		l.event.Count += n
		return
	}
	l.end()
	l.event = Event{Kind: gap, Device: l.channel.Waldo.Device, Begin: from, End: to, Count: n,
		stream: l.channel.Waldo.Stream}
}

func (l *losses) end() {
	if l.event.Count == 0 {
		return
	}
	one, many := l.channel.Waldo.Counted()
	of := " of " + l.channel.Waldo.Stream
	l.event.Text = text.Count(l.event.Count, one+of+" was", many+of+" were") + " not recorded"
	l.track.add(l.event)
	l.track.numbered = keep(l.track.numbered, loss{begin: l.event.Begin, end: l.event.End, count: l.event.Count})
	l.event = Event{}
}
