package folder

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/repair"
)

// MarksType is the type of the messages that are marks.
const MarksType = "waldo.recorder.v1.Mark"

const (
	// maxMarks bounds how many marks of a recording are listed.
	maxMarks = 1000
	// marksCost bounds how much of a file is read for its marks: those of a thousand chunks take 24 MB.
	marksCost = 256 << 20
)

// summary is what is listed of a file.
type summary struct {
	first, last time.Time
	messages    uint64
	devices     []string
	marks       []*recorderv1.Mark
	problem     string
}

func summarize(path string) summary {
	f, err := read.Open(path)
	if err != nil {
		return summary{problem: cmp.Or(errors.Unwrap(err), err).Error()} // without the path, which is told already
	}
	defer func() { _ = f.Close() }() // nothing was written
	s := summary{messages: f.Count()}
	s.first, s.last = f.Span()
	for _, c := range f.Channels() {
		if name := c.Waldo.Device; name != "" {
			s.devices = append(s.devices, name)
		}
	}
	slices.Sort(s.devices)
	s.devices = slices.Compact(s.devices)
	s.marks, err = marks(f)
	switch cut, repaired := repair.Repaired(f); {
	case f.Damage() != nil:
		s.problem = f.Damage().Error()
	case errors.Is(err, read.ErrMost):
		s.problem = "not all of its marks are listed: " + read.ErrMost.Error()
	case err != nil:
		s.problem = err.Error()
	case repaired && cut > 0:
		s.problem = fmt.Sprintf("it was interrupted, and repaired: its end is missing, with %d bytes that could not be read",
			cut)
	case repaired:
		s.problem = "it was interrupted, and repaired: less than its last second is missing"
	}
	return s
}

// marks returns the first marks of a file, in order of time.
func marks(f *read.File) ([]*recorderv1.Mark, error) {
	messages := f.Messages(read.Query{Sparse: true, Most: marksCost,
		Channels: func(c *read.Channel) bool { return c.Waldo.Type == MarksType }})
	var found []*recorderv1.Mark
	for len(found) < maxMarks {
		m, err := messages.Next()
		if errors.Is(err, io.EOF) {
			return found, messages.Damage()
		}
		if err != nil {
			return found, err
		}
		mark := &recorderv1.Mark{}
		if err := proto.Unmarshal(m.Data, mark); err != nil {
			continue // it is no mark
		}
		mark.Text, mark.By = text.Printable(mark.GetText()), text.Printable(mark.GetBy())
		found = append(found, mark)
	}
	return found, messages.Damage()
}
