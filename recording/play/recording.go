package play

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/foxglove/mcap/go/mcap"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/write"
)

// Channel is a channel of a recording, the same in all of its files.
type Channel struct {
	Topic    string
	Encoding string            // of the messages, for example protobuf
	Schema   *mcap.Schema      // of the first file that has the channel; nil: it has none
	Waldo    recording.Channel // empty for a channel of another program
	Count    uint64            // of its messages
}

// Foreign reports whether the channel is of another program.
func (c *Channel) Foreign() bool { return c.Waldo.Type == "" }

// Recording is a recording that is played. It may be used concurrently.
type Recording struct {
	files    []*part // by time
	channels []*Channel
	begin    time.Time
	duration time.Duration
}

// part is one file.
type part struct {
	*read.File
	path        string
	first, last time.Time
	channels    map[*read.Channel]*Channel
	own         map[*Channel][]*read.Channel
}

// Open opens a recording. It fails for files that are no recordings, that hold nothing, or that are of two robots.
func Open(paths ...string) (*Recording, error) {
	if len(paths) == 0 {
		return nil, errors.New("no file is given")
	}
	r := &Recording{}
	for _, path := range paths {
		f, err := read.Open(path)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		p := &part{File: f, path: path}
		p.first, p.last = f.Span()
		r.files = append(r.files, p)
		if f.Count() == 0 {
			return nil, errors.Join(fmt.Errorf("%s: there is no message in it", path), r.Close())
		}
	}
	slices.SortStableFunc(r.files, func(a, b *part) int { return a.first.Compare(b.first) })
	if err := r.oneRobot(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.begin = r.files[0].first
	for _, p := range r.files {
		r.duration = max(r.duration, p.last.Sub(r.begin))
		r.add(p)
	}
	return r, nil
}

// oneRobot fails if the files are of two robots: their devices of one name would be one. Those of other programs do not
// say.
func (r *Recording) oneRobot() error {
	var first, robot string
	for _, p := range r.files {
		about, err := p.File.Metadata(write.AboutRobot)
		switch of := about["robot"]; {
		case err != nil || of == "" || of == robot: // what is damaged does not say either
		case robot != "":
			return fmt.Errorf("%s is of the robot %.64q, and %s of %.64q: the files of one robot play together; replay the other "+
				"one by another command, beside it", first, robot, p.path, of)
		default:
			first, robot = p.path, of
		}
	}
	return nil
}

// add makes the channels of a file known.
func (r *Recording) add(p *part) {
	p.channels, p.own = map[*read.Channel]*Channel{}, map[*Channel][]*read.Channel{}
	for _, c := range p.File.Channels() {
		i := slices.IndexFunc(r.channels, func(known *Channel) bool { return known.is(c) })
		if i < 0 {
			i = len(r.channels)
			r.channels = append(r.channels, &Channel{
				Topic: c.Record.Topic, Encoding: c.Record.MessageEncoding, Schema: c.Schema, Waldo: c.Waldo,
			})
		}
		known := r.channels[i]
		known.Count += c.Count
		p.channels[c] = known
		p.own[known] = append(p.own[known], c)
	}
}

// is reports whether a channel of another file is the same one.
func (c *Channel) is(other *read.Channel) bool {
	return c.Topic == other.Record.Topic && c.Encoding == other.Record.MessageEncoding &&
		c.Waldo.Type == other.Waldo.Type && c.Waldo.Media == other.Waldo.Media &&
		schemaName(c.Schema) == schemaName(other.Schema)
}

func schemaName(s *mcap.Schema) string {
	if s == nil {
		return ""
	}
	return s.Name
}

// Close closes the files.
func (r *Recording) Close() error {
	var errs []error
	for _, p := range r.files {
		errs = append(errs, p.File.Close())
	}
	return errors.Join(errs...)
}

// Begin is when the recording begins, by the clock of the machine that recorded it.
func (r *Recording) Begin() time.Time { return r.begin }

// Duration is how long the recording is: from its first message to the last.
func (r *Recording) Duration() time.Duration { return r.duration }

// Channels returns the channels, by topic.
func (r *Recording) Channels() []*Channel {
	return slices.SortedFunc(slices.Values(r.channels), func(a, b *Channel) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(schemaName(a.Schema), schemaName(b.Schema)))
	})
}

// Files returns the files, by time.
func (r *Recording) Files() []*read.File {
	all := make([]*read.File, len(r.files))
	for i, p := range r.files {
		all[i] = p.File
	}
	return all
}

// Problem says which files are damaged and how; nil if none is. What can be read of them is played.
func (r *Recording) Problem() error {
	var errs []error
	for _, p := range r.files {
		if err := p.Damage(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.path, err))
		}
	}
	return errors.Join(errs...)
}

// WatchDamage has do called once for each chunk that cannot be read, and is left out. Do must not read the recording.
func (r *Recording) WatchDamage(do func(error)) {
	for _, p := range r.files {
		p.WatchDamage(do)
	}
}

// Metadata returns the first metadata of a name, nil if there is none.
func (r *Recording) Metadata(name string) (map[string]string, error) {
	for _, p := range r.files {
		if m, err := p.File.Metadata(name); m != nil || err != nil {
			return m, err
		}
	}
	return nil, nil
}

// maxAttached bounds what is read of the attachments of one name in a file, and what is kept of all files.
const maxAttached = 16 << 20

// Attachments returns the data of all attachments of a name that differ from the one before, by time. Beyond 16 MiB
// those that follow are left out.
func (r *Recording) Attachments(name string) (all [][]byte, err error) {
	size := 0
	for _, p := range r.files {
		some, err := p.File.AllAttachments(name, maxAttached)
		if err != nil {
			return nil, err
		}
		for _, data := range some {
			if n := len(all); n > 0 && bytes.Equal(all[n-1], data) {
				continue
			}
			if size += len(data); size > maxAttached {
				return all, nil
			}
			all = append(all, data)
		}
	}
	return all, nil
}

// message returns a message of a file as one of the recording.
func (r *Recording) message(p *part, m read.Message) Message {
	return Message{Channel: p.channels[m.Channel], Offset: m.Logged.Sub(r.begin), Published: m.Published,
		Sequence: m.Sequence, Data: m.Data}
}

// Files are those of a recording, as a robot.yaml names them: relative paths count from its folder.
type Files []string

// From makes relative paths those of a folder. It is what package robot calls for values of a file.
func (f Files) From(folder string) {
	for i, path := range f {
		if path != "" && !filepath.IsAbs(path) {
			f[i] = filepath.Join(folder, path)
		}
	}
}

// Check fails if there is no file, or one that cannot be played.
func (f Files) Check() error {
	r, err := Open(f...)
	if err != nil {
		return err
	}
	return r.Close()
}
