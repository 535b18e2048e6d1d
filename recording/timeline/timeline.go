package timeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/write"
)

// MaxEvents is how many events there are at most.
const MaxEvents = 10_000

// kind shortens the names of the generated constants.
type kind = recorderv1.TimelineEventKind

const (
	mark    = recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_MARK
	drive   = recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_DRIVE
	eStop   = recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_E_STOP
	refused = recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_REFUSED
	away    = recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_AWAY
	gap     = recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_GAP
)

// importance is in which order events are kept.
var importance = []kind{mark, eStop, drive, refused, away, gap}

// Event is something that happened.
type Event struct {
	Kind   kind
	Device string
	Text   string
	Begin  time.Time
	End    time.Time // zero for a moment
	Count  int64
	// Holder is who held the lease, Epoch the run of the actuator's process; of a drive only.
	Holder string
	Epoch  int64

	stream string // of a gap that numbers show
}

// Events returns what happened, by time, and how many events were left out. Files are those of a recording, in order.
func Events(ctx context.Context, files []*read.File) (events []Event, leftOut int64, err error) {
	t := newTrack()
	var end time.Time
	for _, f := range files {
		if err := t.read(ctx, f, end); err != nil {
			return nil, 0, err
		}
		if _, last := f.Span(); last.After(end) {
			end = last
		}
	}
	if err := t.finish(ctx, files, end); err != nil {
		return nil, 0, err
	}
	events, leftOut = t.all()
	return events, leftOut, nil
}

// read goes through a file. Before is when the file before it ends.
func (t *track) read(ctx context.Context, f *read.File, before time.Time) error {
	if f.Count() == 0 {
		return nil
	}
	t.silences.know(f)
	first, last := f.Span()
	switch {
	case before.IsZero():
	case resumed(f):
		t.skip(first)
		t.add(Event{Kind: gap, Begin: before, End: first, Count: 1,
			Text: "nothing was recorded: the recorder had ended, and was started again"})
	case first.Sub(before) > holeTime:
		t.skip(first)
		t.add(Event{Kind: gap, Begin: before, End: first, Count: 1, Text: "nothing was recorded between two files"})
	}
	if err := f.Damage(); err != nil {
		t.add(Event{Kind: gap, Begin: last, Count: 1, Text: fmt.Sprintf("the file ends here: %v", err)})
	}
	messages := f.Messages(read.Query{Sparse: true, Channels: func(c *read.Channel) bool { return t.take(c) != nil }})
	err := messages.Each(ctx, func(m read.Message) error {
		t.take(m.Channel)(m)
		return nil
	})
	if err != nil {
		return err
	}
	if err := messages.Damage(); err != nil {
		t.add(Event{Kind: gap, Begin: last, Count: 1, Text: fmt.Sprintf("parts of the file cannot be read: %v", err)})
	}
	return t.gaps(ctx, f)
}

// skip leaves out the time until the next file, which is told by itself.
func (t *track) skip(until time.Time) {
	t.silences.skip(until)
	clear(t.runs)
}

// resumed reports whether the recorder was another process before a file.
func resumed(f *read.File) bool {
	about, err := f.Metadata(write.AboutRobot)
	return err == nil && about[write.Resumed] == "true"
}

// take returns what takes the messages of a channel; nil if they are not read.
func (t *track) take(c *read.Channel) func(read.Message) {
	switch c.Waldo.Type {
	case "waldo.recorder.v1.Mark":
		return t.mark
	case "waldo.control.v1.ControlState":
		return t.control
	case "waldo.control.v1.CommandRecord":
		return t.command
	case "waldo.recorder.v1.RecorderState":
		return t.recorder
	case "waldo.device.v1.Device":
		if c.Waldo.Direction == recording.State {
			return t.state
		}
	}
	return nil
}

// Proto returns events as in the answer to GetTimeline. Begin is the start of the recording.
func Proto(events []Event, begin time.Time) []*recorderv1.TimelineEvent {
	all := make([]*recorderv1.TimelineEvent, len(events))
	for i, e := range events {
		p := &recorderv1.TimelineEvent{
			Offset: durationpb.New(max(e.Begin.Sub(begin), 0)), Kind: e.Kind, Device: e.Device, Text: e.Text, Count: e.Count,
		}
		if !e.End.IsZero() {
			p.End = durationpb.New(max(e.End.Sub(begin), 0))
		}
		all[i] = p
	}
	return all
}

// all returns the events that are kept, by time.
func (t *track) all() (events []Event, leftOut int64) {
	for _, k := range importance {
		of := t.events[k]
		n := min(len(of), MaxEvents-len(events))
		events = append(events, of[:n]...)
		leftOut += int64(len(of)-n) + t.more[k]
	}
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Or(a.Begin.Compare(b.Begin), cmp.Compare(a.Device, b.Device))
	})
	return events, leftOut
}
