package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/foreign"
	"github.com/waldo-robot/waldo/recording/frames"
	"github.com/waldo-robot/waldo/recording/read"
)

// Recording is files that follow one another.
type Recording struct {
	files      []*read.File
	begin, end time.Time
	damage     map[*read.File]error // of each damaged file what was found first
}

// Open opens the files of a recording.
func Open(paths []string) (*Recording, error) {
	r := &Recording{damage: map[*read.File]error{}}
	for _, path := range paths {
		f, err := read.Open(path)
		if err != nil {
			r.Close()
			return nil, err
		}
		r.files = append(r.files, f)
		if damage := f.Damage(); damage != nil {
			r.damaged(f, fmt.Errorf("%s: %w", path, damage))
		}
		first, last := f.Span()
		if f.Count() == 0 {
			continue
		}
		if r.begin.IsZero() || first.Before(r.begin) {
			r.begin = first
		}
		if last.After(r.end) {
			r.end = last
		}
	}
	slices.SortStableFunc(r.files, func(a, b *read.File) int {
		first, _ := a.Span()
		other, _ := b.Span()
		return first.Compare(other)
	})
	return r, nil
}

// Close closes the files.
func (r *Recording) Close() {
	for _, f := range r.files {
		_ = f.Close() // nothing was written
	}
}

func (r *Recording) damaged(f *read.File, damage error) {
	if damage != nil && r.damage[f] == nil {
		r.damage[f] = damage
	}
}

// Damage says which files are damaged and how, as far as they have been read; nil if none is. What can be read of them
// is exported.
func (r *Recording) Damage() error {
	all := make([]error, 0, len(r.damage))
	for _, f := range r.files {
		all = append(all, r.damage[f])
	}
	return errors.Join(all...)
}

// Growing returns the paths of the files that were being written when they were opened: the rest of them is not
// exported.
func (r *Recording) Growing() (paths []string) {
	for _, f := range r.files {
		if f.Growing() {
			paths = append(paths, f.Path())
		}
	}
	return paths
}

// Length is how long the recording is.
func (r *Recording) Length() time.Duration { return r.end.Sub(r.begin) }

// Choice is what is exported. The zero value is everything.
type Choice struct {
	Devices  []string      // empty: all
	From, To time.Duration // after the start of the recording; To is 0 for its end
	// Progress is told from time to time which share is done, 0 to 1; it may be nil.
	Progress func(share float64)
}

// check fails for a choice that chooses nothing.
func (r *Recording) check(c Choice) error {
	if r.begin.IsZero() {
		return errors.New("there is no message in the recording")
	}
	there := r.devices()
	for _, d := range c.Devices {
		if !slices.Contains(there, d) {
			return fmt.Errorf("--device: there is no %q in the recording, but %s", d, list(there))
		}
	}
	switch {
	case c.From < 0 || c.To < 0:
		return errors.New("--from and --until count from the start of the recording: they cannot be negative")
	case c.From > r.Length():
		return fmt.Errorf("--from is %v, and the recording has %v", c.From, r.Length().Round(time.Millisecond))
	case c.To != 0 && c.To <= c.From:
		return fmt.Errorf("--until is %v, not after --from, which is %v", c.To, c.From)
	}
	return nil
}

func list(all []string) string {
	if len(all) == 0 {
		return "no device at all"
	}
	return strings.Join(all, ", ")
}

// devices returns the names of the devices in the recording.
func (r *Recording) devices() []string {
	var all []string
	for _, f := range r.files {
		for _, c := range f.Channels() {
			if c.Count > 0 && c.Waldo.Device != "" {
				all = append(all, c.Waldo.Device)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (c Choice) has(device string) bool {
	return len(c.Devices) == 0 || slices.Contains(c.Devices, device)
}

// from and until are the times of a choice.
func (r *Recording) from(c Choice) time.Time { return r.begin.Add(c.From) }

func (r *Recording) until(c Choice) time.Time {
	if c.To == 0 {
		return r.end.Add(1)
	}
	return r.begin.Add(c.To)
}

// stream is one of the recording, whatever channels it has in its files.
type stream struct {
	device, name string
	direction    recording.Direction
	kind         string // full name of the type of its messages
}

func (s stream) String() string {
	switch {
	case s.direction == recording.State:
		return s.device
	case s.device == "" && s.direction == recording.Topic:
		return "msg/" + s.name
	case s.device == "":
		return strings.TrimPrefix(s.name, "/") // of another program
	}
	return s.device + "/" + s.name
}

// maxName bounds the name of a file.
const maxName = 100

// file is what a file with the stream is called, without its ending.
func (s stream) file() string { return fileName(s.String()) }

// fileName makes a name that every file system takes of one that stands in a recording.
func fileName(s string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
			return r
		}
		return '_'
	}, s[:min(len(s), maxName)])
	if strings.HasPrefix(name, ".") {
		name = "_" + name[1:]
	}
	return cmp.Or(name, "_")
}

// names gives each file a name of its own.
type names map[string]int

func (n names) of(name string) string {
	if n[name]++; n[name] > 1 {
		return fmt.Sprintf("%s_%d", name, n[name])
	}
	return name
}

func (s stream) is(c *read.Channel) bool { return streamOf(c) == s }

// streamOf returns the stream of a channel. Pictures and sound of other programs are as if they were Waldo's.
func streamOf(c *read.Channel) stream {
	s := stream{direction: c.Waldo.Direction, kind: c.Waldo.Type}
	s.device, s.name = frames.Name(c)
	if frames.Foreign(c) {
		s.direction, s.kind = recording.Out, videoFrame
		if foreign.KindOf(c.Schema.Name) == foreign.Audio {
			s.kind = audioFrame
		}
	}
	return s
}

// streams returns the chosen streams that have messages.
func (r *Recording) streams(c Choice) []stream {
	var all []stream
	for _, f := range r.files {
		for _, ch := range f.Channels() {
			s := streamOf(ch)
			if ch.Count > 0 && s.kind != "" && c.has(s.device) && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b stream) int {
		return cmp.Or(cmp.Compare(a.String(), b.String()), cmp.Compare(a.kind, b.kind))
	})
	return all
}

// each calls do for the messages of some channels, by time.
func (r *Recording) each(ctx context.Context, is func(*read.Channel) bool, from, until time.Time,
	do func(read.Message) error) error {
	for _, f := range r.files {
		messages := f.Messages(read.Query{From: from, To: until, Channels: is, Sparse: true})
		if err := messages.Each(ctx, do); err != nil {
			return err
		}
		r.damaged(f, messages.Damage())
	}
	return nil
}

// progress tells how much is done, when it is worth it.
type progress struct {
	tell        func(float64)
	from, until time.Time
	part, parts int
	last        float64
}

func (r *Recording) progress(c Choice, part, parts int) *progress {
	return &progress{tell: c.Progress, from: r.from(c), until: r.until(c), part: part, parts: max(parts, 1)}
}

func (p *progress) at(t time.Time) {
	if p.tell == nil {
		return
	}
	share := min(max(t.Sub(p.from).Seconds()/max(p.until.Sub(p.from).Seconds(), 0.001), 0), 1)
	const step = 0.01
	if share = (float64(p.part) + share) / float64(p.parts); share >= p.last+step {
		p.last = share
		p.tell(share)
	}
}
