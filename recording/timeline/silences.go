package timeline

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
)

const (
	// maxSilences bounds at how many silences is looked.
	maxSilences = 1000
	// maxHeard is how many messages there may be in a silence: with more, the states were not there, but the rest was.
	maxHeard = 1000
)

// silences follows from the states of devices, which come once a second and on every change, when nothing can have
// come: the device was not heard, because it or the bus was away, or nobody held the stream.
type silences struct {
	heard    map[string]time.Time // by device
	unheld   map[stream]time.Time // since when
	recorded map[stream]bool      // what devices produce; a recorder holds all of it
	found    []silence
	more     int64 // that came after those
}

// silence is a time in which nothing can have come of a stream, or, without a name, of a device.
type silence struct {
	stream
	begin, end time.Time
}

func newSilences() silences {
	return silences{heard: map[string]time.Time{}, unheld: map[stream]time.Time{}, recorded: map[stream]bool{}}
}

// know takes over what streams there are in a file.
func (s *silences) know(f *read.File) {
	for _, c := range f.Channels() {
		if c.Waldo.Direction == recording.Out && c.Count > 0 && len(s.recorded) < maxStreams {
			s.recorded[stream{c.Waldo.Device, c.Waldo.Stream}] = true
		}
	}
}

// hear takes a state.
func (s *silences) hear(p *devicev1.Device, device string, at time.Time) {
	last, known := s.heard[device]
	switch {
	case known:
		s.find(silence{stream{device, ""}, last, at})
	case len(s.heard) >= maxDevices:
		return
	}
	s.heard[device] = at
	for _, info := range p.GetStreams() {
		of := stream{device, info.GetName()}
		since, unheld := s.unheld[of]
		switch {
		case info.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_OUT:
		case info.GetHolderCount() == 0 && !unheld && len(s.unheld) < maxDevices:
			s.unheld[of] = at
		case info.GetHolderCount() > 0 && unheld:
			s.find(silence{of, since, at})
			delete(s.unheld, of)
		}
	}
}

func (s *silences) find(one silence) {
	switch {
	case one.end.Sub(one.begin) <= holeTime, one.name != "" && !s.recorded[one.stream]:
	case len(s.found) >= maxSilences:
		s.more++
	default:
		s.found = append(s.found, one)
	}
}

// skip leaves out the time until the next file, which is told by itself.
func (s *silences) skip(until time.Time) {
	for device := range s.heard {
		s.heard[device] = until
	}
	for of := range s.unheld {
		s.unheld[of] = until
	}
}

// silent adds the silences, as far as nothing came indeed. End is that of the recording.
func (t *track) silent(ctx context.Context, files []*read.File, end time.Time) error {
	s := &t.silences
	for device, last := range s.heard {
		s.find(silence{stream{device, ""}, last, end})
	}
	for of, since := range s.unheld {
		s.find(silence{of, since, end})
	}
	slices.SortFunc(s.found, func(a, b silence) int {
		return cmp.Or(a.begin.Compare(b.begin), cmp.Compare(a.device, b.device), cmp.Compare(a.name, b.name))
	})
	t.more[gap] += s.more
	for _, one := range s.found {
		quiet, err := one.longest(ctx, files)
		if err != nil {
			return err
		}
		if quiet.end.Sub(quiet.begin) > holeTime {
			t.add(t.with(one, Event{Kind: gap, Device: one.device, Begin: quiet.begin, End: quiet.end, Count: 1,
				Text: one.text()}))
		}
	}
	return nil
}

// with adds the gaps to that of a silence that numbers show at its time: they are one.
func (t *track) with(one silence, e Event) Event {
	lost := int64(0)
	t.events[gap] = slices.DeleteFunc(t.events[gap], func(n Event) bool {
		if n.stream == "" || n.Device != e.Device || one.name != "" && n.stream != one.name ||
			n.Begin.After(e.End) || n.End.Before(e.Begin) {
			return false
		}
		lost += n.Count
		e.Text += "; " + n.Text
		e.Begin = slices.MinFunc([]time.Time{e.Begin, n.Begin}, time.Time.Compare)
		e.End = slices.MaxFunc([]time.Time{e.End, n.End}, time.Time.Compare)
		return true
	})
	e.Count = max(e.Count, lost)
	return e
}

// text tells of it.
func (s silence) text() string {
	if s.name == "" {
		return "nothing was recorded: the device was not heard"
	}
	return "nothing of " + s.name + " was recorded: nobody held it"
}

// errHeard is that there is no silence.
var errHeard = errors.New("there are messages")

// longest returns the longest part of a silence in which nothing came.
func (s silence) longest(ctx context.Context, files []*read.File) (silence, error) {
	quiet := silence{s.stream, s.begin, s.begin}
	before, n := s.begin, 0
	heard := func(at time.Time) {
		if at.Sub(before) > quiet.end.Sub(quiet.begin) {
			quiet.begin, quiet.end = before, at
		}
		before = at
	}
	for _, f := range files {
		if first, last := f.Span(); f.Count() == 0 || last.Before(s.begin) || first.After(s.end) {
			continue
		}
		messages := f.Messages(read.Query{From: s.begin, To: s.end, Channels: s.has, Sparse: true})
		err := messages.Each(ctx, func(m read.Message) error {
			if n++; n > maxHeard {
				return errHeard
			}
			heard(m.Logged)
			return nil
		})
		if errors.Is(err, errHeard) {
			return silence{}, nil
		}
		if err != nil {
			return silence{}, err
		}
	}
	heard(s.end)
	return quiet, nil
}

// has reports whether what is in a channel would end the silence.
func (s silence) has(c *read.Channel) bool {
	return c.Waldo.Direction == recording.Out && c.Waldo.Device == s.device &&
		(s.name == "" || c.Waldo.Stream == s.name)
}
