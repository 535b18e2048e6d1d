package drives

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/recording/read"
)

// seam is how far apart the files of a recording may be.
const seam = time.Second

// stretch is a time in which what a device was told was recorded.
type stretch struct{ from, to time.Time }

// coverage is when the commands of devices were recorded.
type coverage map[life][]stretch // by robot and device

// add notes for which devices a file has commands, or would have them if there had been some.
func (c coverage) add(robot string, f *read.File, isRecords func(*read.Channel) bool) {
	first, last := f.Span()
	for _, channel := range f.Channels() {
		if isRecords(channel) {
			key := life{robot: robot, device: channel.Waldo.Device}
			c[key] = append(c[key], stretch{first, last})
		}
	}
}

// whole reports whether all of a drive was recorded. Files were added by the time at which they begin.
func (c coverage) whole(d *Drive) bool {
	if d.End.IsZero() {
		return false
	}
	var now stretch
	for _, s := range c[life{robot: d.Robot, device: d.Device}] {
		if now.to.IsZero() || s.from.After(now.to.Add(seam)) {
			now = s
		} else if s.to.After(now.to) {
			now.to = s.to
		}
		if !d.Begin.Before(now.from) && !d.End.After(now.to) {
			return true
		}
	}
	return false
}

// cover says of each drive how much of it was recorded.
func (b *Book) cover() {
	var none, part []*Drive
	for _, d := range b.Drives {
		whole := b.covered.whole(d)
		switch {
		case d.Tally == nil && whole:
			d.Tally = &Tally{}
		case d.Tally == nil:
			none = append(none, d)
		case d.Logged && !whole:
			part = append(part, d)
		}
	}
	if len(none) > 0 {
		text := fmt.Sprintf("no recording of the commands of drive %s was found %s", numbers(none), b.config.Where)
		b.lack("%s", strings.TrimSuffix(text, " "))
	}
	if len(part) > 0 {
		b.lack("the commands of drive %s are known in part: it is longer than the recording of it", numbers(part))
	}
	unlogged := slices.DeleteFunc(slices.Clone(b.Drives), func(d *Drive) bool { return d.Logged })
	if len(unlogged) > 0 {
		b.lack("no audit log tells of drive %s: what is known comes from recordings", numbers(unlogged))
	}
}
