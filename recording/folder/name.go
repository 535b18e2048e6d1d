package folder

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/text"
)

// Suffix ends the names of files of recordings.
const Suffix = ".mcap"

// timeForm has no colons, which some file systems refuse.
const timeForm = "2006-01-02T15-04-05.000Z"

// maxNumber bounds how many files a recording has.
const maxNumber = 999_999

// Name is the name of a file, for example 2026-11-30T07-10-00.000Z_rover_001.mcap. Names sort by time.
type Name struct {
	Start  time.Time // of the recording, to the millisecond
	Robot  string
	Number int // of the file in the recording, from 1 to 999,999
}

// String returns the name, without a folder.
func (n Name) String() string {
	return fmt.Sprintf("%s_%s_%03d%s", n.Start.UTC().Format(timeForm), n.Robot, n.Number, Suffix)
}

// Next is the name of the file after this one.
func (n Name) Next() Name {
	n.Number++
	return n
}

// Recording is what the names of the files of a recording have in common: that of the first. Names can be compared by
// it.
func (n Name) Recording() Name {
	n.Start, n.Number = n.Start.UTC().Truncate(time.Millisecond), 1 // as it can be compared
	return n
}

// Valid reports whether a file may have the name.
func (n Name) Valid() bool {
	year := n.Start.UTC().Year()
	return text.IsName(n.Robot) && n.Number >= 1 && n.Number <= maxNumber && year >= 0 && year <= 9999
}

// Parse reads the name of a file.
func Parse(file string) (n Name, ok bool) {
	base, ok := strings.CutSuffix(file, Suffix)
	if !ok {
		return Name{}, false
	}
	parts := strings.Split(base, "_")
	if len(parts) != 3 {
		return Name{}, false
	}
	start, err := time.Parse(timeForm, parts[0])
	if err != nil {
		return Name{}, false
	}
	number, err := strconv.Atoi(parts[2])
	n = Name{Start: start, Robot: parts[1], Number: number}
	return n, err == nil && n.Valid() && n.String() == file // it is written in one way only
}
