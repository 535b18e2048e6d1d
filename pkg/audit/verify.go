package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/waldo-robot/waldo/pkg/text"
)

// Finding is what [Verify] found in a log.
type Finding struct {
	File string `json:"file,omitempty"` // where, if it is at a place
	Line int    `json:"line,omitempty"` // in that file, from 1
	// Alteration is set for what Waldo does not do by itself: somebody, or a disk, has changed the log.
	Alteration bool   `json:"alteration"`
	Text       string `json:"text"` // for people
}

// Report is the result of [Verify].
type Report struct {
	Events  int64     // lines that are events
	Chained int64     // those of them that name the hash of the line before
	Lost    int64     // events that could not be written when they happened
	First   Line      // the oldest event
	Last    Line      // the newest one
	Found   []Finding // at most maxFindings of each sort
	More    int       // findings that are not in Found
}

// Altered reports whether something was found that Waldo does not do by itself.
func (r *Report) Altered() bool {
	for _, f := range r.Found {
		if f.Alteration {
			return true
		}
	}
	return false
}

// maxFindings bounds how many findings of each sort are listed.
const maxFindings = 100

// verifier goes through a log.
type verifier struct {
	Report
	log      string
	before   string         // hash of the line before; empty at the first one
	restless bool           // there were lines since the last one of the chain
	want     map[int64]Head // heads that are not found yet
}

// Verify checks a log: whether each line names the hash of the line before, whether numbers are missing, and whether it
// has the lines that it had at other times, which heads tell. It fails only if the log cannot be read.
func Verify(path string, heads ...Head) (*Report, error) {
	v := &verifier{log: path, want: map[int64]Head{}}
	for _, h := range heads {
		if known, twice := v.want[h.Number]; twice && known != h {
			v.find(Line{}, true, "two witnesses disagree about event %d, so one of them was altered", h.Number)
		}
		v.want[h.Number] = h
	}
	if err := Read(path, v.line); err != nil {
		if !errors.Is(err, fs.ErrNotExist) || len(heads) == 0 {
			return nil, err
		}
		v.find(Line{}, true, "the log is gone")
	}
	v.finish()
	return &v.Report, nil
}

// line checks the next line.
func (v *verifier) line(l Line) error {
	defer func() { v.before = l.Hash }()
	if !l.Readable {
		v.find(l, false, "this is no event, but what a loss of power leaves, or a full disk; the next event attests it")
		v.restless = true
		return nil
	}
	if v.Events == 0 {
		v.begin(l)
	} else if next := v.Last.Number + 1; l.Number != next {
		v.find(l, true, "event %d follows event %d: %s", l.Number, v.Last.Number, missing(next, l.Number))
	}
	v.link(l)
	v.Events++
	v.Lost += l.Lost
	v.Last = l
	v.witness(l)
	return nil
}

func missing(next, found int64) string {
	if found > next {
		return text.Count(found-next, "is", "are") + " missing"
	}
	return "numbers never go back"
}

// begin checks how the log begins.
func (v *verifier) begin(l Line) {
	v.First = l
	begins := l.Number == 0 && (l.Previous == "" || l.Previous == Start || v.before != "")
	if _, err := os.Stat(old(v.log, Kept)); err != nil && !begins {
		v.find(l, true, "it begins with event %d: the files with those before are gone, although there is room for them",
			l.Number)
	}
}

// link checks that a line is the next one of the chain.
func (v *verifier) link(l Line) {
	switch {
	case l.Previous == "":
		v.restless = true
		if v.Chained > 0 {
			v.find(l, false, "event %d names no line before it: an older version wrote it; the next event attests it",
				l.Number)
		}
		return
	// before is empty: the line before is not kept any more, or there was none
	case v.before == "" || l.Previous == v.before:
	case l.Previous == Start:
		v.find(l, true, "a new log begins with event %d, after others: nothing attests those", l.Number)
	default:
		v.find(l, true, "event %d does not follow from the line before it: that was changed, or lines were removed or "+
			"inserted between the two", l.Number)
	}
	v.Chained++
	v.restless = false
}

// witness checks a line against what was seen of it at another time.
func (v *verifier) witness(l Line) {
	seen, asked := v.want[l.Number]
	if !asked {
		return
	}
	delete(v.want, l.Number)
	if seen.Hash != l.Hash {
		v.find(l, true, "event %d was another one when a witness saw it: its hash was %s, and is %s", l.Number, seen.Hash,
			l.Hash)
	}
}

// finish says what is found at the end.
func (v *verifier) finish() {
	gone := int64(-1)
	for n := range v.want {
		if v.Events == 0 || n > v.Last.Number { // older ones are not kept any more, or their absence was found
			gone = max(gone, n)
		}
	}
	switch {
	case gone >= 0 && v.Events == 0:
		v.find(v.Last, true, "a witness saw event %d, and the log is empty", gone)
	case gone >= 0:
		v.find(v.Last, true, "a witness saw event %d, and the log ends with event %d: its end was cut off, or was lost with "+
			"power", gone, v.Last.Number)
	}
	switch {
	case v.Events > 0 && v.Chained == 0:
		v.find(v.Last, false, "no event names the line before it: an older version wrote them, or somebody removed the names")
	case v.restless && v.Chained > 0:
		v.find(v.Last, false, "nothing attests the lines at the end: the next event will")
	}
}

func (v *verifier) find(l Line, alteration bool, format string, args ...any) {
	n := 0
	for _, f := range v.Found {
		if f.Alteration == alteration {
			n++
		}
	}
	if n >= maxFindings {
		v.More++
		return
	}
	v.Found = append(v.Found, Finding{l.File, l.Line, alteration, fmt.Sprintf(format, args...)})
}
