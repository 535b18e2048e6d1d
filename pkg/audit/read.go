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

	"golang.org/x/sys/unix"
)

// maxLine bounds the line of an event in bytes: nine texts of maxText, each byte of which may be escaped, and the rest.
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

// Read reads a log and its old files, the oldest line first, until each fails: those that were there when it began. How
// much memory it takes does not depend on what is there. A log that is not there is an error.
func Read(path string, each func(Line) error) error {
	files, err := snapshot(path)
	defer func() { closeAll(files) }()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := f.read(each); err != nil {
			return err
		}
	}
	return nil
}

// opened is a file of a log, of which so much is read.
type opened struct {
	*os.File
	size int64
}

// snapshot opens the files of a log, the oldest first, as they are at a moment. Those that are returned with an error
// have to be closed, too.
func snapshot(path string) (files []opened, err error) {
	for {
		newest, err := openLocked(path)
		if err != nil {
			return nil, err
		}
		before, _ := os.Stat(old(path, 1)) // nil if there is none
		files, err = openAll(path, newest)
		if newest != nil {
			_ = unix.Flock(int(newest.Fd()), unix.LOCK_UN) // fails only for a file that is closed
			return files, err
		}
		// Nothing was locked, because the newest file is about to be made after a rotation. Each rotation changes the next
		// one.
		_, gone := os.Stat(path)
		after, _ := os.Stat(old(path, 1))
		if same := before == nil && after == nil || before != nil && os.SameFile(before, after); same && gone != nil {
			return files, err
		}
		closeAll(files)
	}
}

func closeAll(files []opened) {
	for _, f := range files {
		_ = f.Close()
	}
}

// openAll opens the old files and adds the newest, which is nil if there is none.
func openAll(path string, newest *os.File) (files []opened, err error) {
	for i := Kept; i > 0 && err == nil; i-- {
		var f *os.File
		if f, err = os.Open(old(path, i)); err == nil {
			files = append(files, opened{f, 0})
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if newest != nil {
		files = append(files, opened{newest, 0})
	}
	for i := 0; i < len(files) && err == nil; i++ {
		err = files[i].measure()
	}
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return files, err
}

// measure notes how much is there to be read.
func (f *opened) measure() error {
	about, err := f.Stat()
	if err != nil {
		return err
	}
	if !about.Mode().IsRegular() {
		return fmt.Errorf("%s: it is not a file", f.Name())
	}
	f.size = about.Size()
	return nil
}

// openLocked opens the newest file and gets a lock that others may have to read it. It is nil if there is none. Where
// files cannot be locked, nobody writes.
func openLocked(path string) (*os.File, error) {
	for {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		_ = unix.Flock(int(f.Fd()), unix.LOCK_SH)
		own, err := f.Stat()
		there, gone := os.Stat(path)
		if err == nil && gone == nil && os.SameFile(own, there) {
			return f, nil
		}
		_ = f.Close() // it was rotated
		if err != nil {
			return nil, err
		}
	}
}

// read reads the lines of a file.
func (f opened) read(each func(Line) error) error {
	lines := bufio.NewReaderSize(io.LimitReader(f, f.size), maxLine)
	for n := 1; ; n++ {
		text, hash, err := nextLine(lines)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
		l := parse(text)
		l.File, l.Line, l.Hash = f.Name(), n, hash
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
