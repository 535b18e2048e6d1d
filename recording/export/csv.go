package export

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/recording/read"
)

// CSV writes the messages of each stream that is neither pictures nor sound to a file in a folder (RFC 4180). The types
// of the messages are those that the recording has, whatever they are.
func (r *Recording) CSV(ctx context.Context, to string, c Choice) (Result, error) {
	if err := r.check(c); err != nil {
		return Result{}, err
	}
	if strings.EqualFold(filepath.Ext(to), ".csv") {
		return Result{}, fmt.Errorf("%s: CSV is a file for each stream: name a folder", to)
	}
	streams := slices.DeleteFunc(r.streams(c), func(s stream) bool { return s.kind == videoFrame || s.kind == audioFrame })
	if len(streams) == 0 {
		if len(r.devices()) == 0 {
			return Result{},
				errors.New("there are no messages of the devices of a robot: CSV is made of what a recorder has recorded")
		}
		return Result{}, fmt.Errorf("there are no messages but pictures and sound%s", what(c, r.devices()))
	}
	if err := directory(to); err != nil {
		return Result{}, err
	}
	var result Result
	named := names{}
	for i, s := range streams {
		path := filepath.Join(to, named.of(s.file())+".csv") // a stream has several if the type of its messages has changed
		written, err := r.csv(ctx, path, s, c, i, len(streams))
		if errors.Is(err, errDefinition) {
			result.Notes = append(result.Notes, err.Error())
			continue
		}
		if err != nil {
			return result, err
		}
		if written {
			result.Files = append(result.Files, path)
		}
	}
	return result, nil
}

var errDefinition = errors.New("its type cannot be read")

// csv writes one stream. It writes nothing if there is no message in the chosen time.
func (r *Recording) csv(ctx context.Context, path string, s stream, c Choice, part, parts int) (bool, error) {
	columns, err := r.columns(ctx, s, c)
	if err != nil || columns == nil {
		return false, err
	}
	out, err := create(path)
	if err != nil {
		return false, err
	}
	defer out.discard()
	buffer := bufio.NewWriterSize(out, 1<<20)
	w := csv.NewWriter(buffer)
	w.UseCRLF = true
	if err := w.Write(append([]string{"log_time", "capture_time"}, columns.names()...)); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	p := r.progress(c, part, parts)
	sets := definitions{}
	err = r.each(ctx, s.is, r.from(c), r.until(c), func(m read.Message) error {
		p.at(m.Logged)
		row, err := sets.row(columns, m)
		if err != nil {
			return nil // what is not of the type is left out
		}
		return w.Write(row)
	})
	if err == nil {
		w.Flush()
		err = errors.Join(w.Error(), buffer.Flush())
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, out.complete()
}

// definitions are the types of channels.
type definitions map[*read.Channel]*descriptors.Set

func (d definitions) of(c *read.Channel) (*descriptors.Set, error) {
	if s := d[c]; s != nil {
		return s, nil
	}
	s, err := descriptors.New(c.Waldo.Files, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", c.Waldo.Name(), errDefinition, err)
	}
	d[c] = s
	return s, nil
}

// columns finds out which columns a stream needs; nil if it has no messages.
func (r *Recording) columns(ctx context.Context, s stream, c Choice) (*columns, error) {
	var found *columns
	sets := definitions{}
	err := r.each(ctx, s.is, r.from(c), r.until(c), func(m read.Message) error {
		set, err := sets.of(m.Channel)
		if err != nil {
			return err
		}
		if found == nil {
			t, err := set.Message(s.kind)
			if err != nil {
				return fmt.Errorf("%s: %w: %w", s, errDefinition, err)
			}
			found = newColumns(t)
			if len(found.texts()) == 0 {
				return errKnown
			}
		}
		if parsed, err := set.Decode(s.kind, m.Data); err == nil {
			found.learn(parsed.ProtoReflect())
		}
		return nil
	})
	if errors.Is(err, errKnown) {
		err = nil
	}
	return found, err
}

// errKnown ends a search.
var errKnown = errors.New("all columns are known")

// row returns a message as a row.
func (d definitions) row(c *columns, m read.Message) ([]string, error) {
	set, err := d.of(m.Channel)
	if err != nil {
		return nil, err
	}
	parsed, err := set.Decode(m.Channel.Waldo.Type, m.Data)
	if err != nil {
		return nil, err
	}
	return append([]string{stamp(m.Logged), stamp(m.Published)}, c.values(set, parsed.ProtoReflect())...), nil
}

// stamp is a time as in RFC 3339, with nanoseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }
