package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// maxLine bounds the line of an event in bytes: eight texts of maxText, each byte of which may be escaped, and the rest.
const maxLine = 32 << 10

// Line is a line of a log as it was read.
type Line struct {
	File string // where it is
	Line int    // in that file, from 1
	Hash string // its own

	// Readable is false for what is no event, for example half a line of a process that lost power. It has nothing else.
	Readable bool
	Event    Event
	Time     time.Time
	Number   int64
	Previous string // the hash of the line before; empty in lines of older versions
	Lost     int64  // events before it that could not be written
	Similar  int64  // refusals like it that were left out before it
}

// Head is the head of the log when this was its last line.
func (l Line) Head() Head { return Head{l.Number, l.Hash} }

// Read reads a log and its old files, the oldest line first, until each fails. How much memory it takes does not depend
// on what is there. A log that is not there is an error.
func Read(path string, each func(Line) error) error {
	there := false
	for i := Kept; i >= 0; i-- {
		err := readFile(old(path, i), each)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		there = true
	}
	if !there {
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return nil
}

func readFile(path string, each func(Line) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if about, err := f.Stat(); err != nil || !about.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s: it is not a file", path))
	}
	lines := bufio.NewReaderSize(f, maxLine)
	for n := 1; ; n++ {
		text, hash, err := nextLine(lines)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		l := parse(text)
		l.File, l.Line, l.Hash = path, n, hash
		if err := each(l); err != nil {
			return err
		}
	}
}

// nextLine returns a line without its end, nil if it is too long to be an event, and its hash.
func nextLine(lines *bufio.Reader) (text []byte, hash string, err error) {
	text, err = lines.ReadSlice('\n')
	if err == nil || errors.Is(err, io.EOF) && len(text) > 0 {
		text = bytes.TrimSuffix(text, []byte{'\n'})
		return text, hashOf(text), nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return nil, "", err
	}
	sum := sha256.New()
	for errors.Is(err, bufio.ErrBufferFull) {
		sum.Write(text)
		text, err = lines.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	sum.Write(bytes.TrimSuffix(text, []byte{'\n'}))
	return nil, hex.EncodeToString(sum.Sum(nil)), nil
}

func parse(text []byte) Line {
	var l line
	if json.Unmarshal(text, &l) != nil || !l.valid() {
		return Line{}
	}
	return Line{Readable: true, Event: l.Event, Time: l.Time, Number: l.Number, Previous: l.Previous, Lost: l.Lost,
		Similar: l.Similar}
}
