package frame

import (
	"bytes"
	"errors"
	"time"
)

// Lines hands out the lines between delimiters. An unfinished line waits, however long; one longer than
// MaxMessage is discarded up to its end.
type Lines struct {
	delimiter []byte
	discarded Discarded
	partial   []byte
	skipping  bool // the current line is too long
}

// NewLines returns a splitter for a delimiter, which must not be empty.
func NewLines(delimiter string, discarded Discarded) (*Lines, error) {
	if delimiter == "" {
		return nil, errors.New("a line needs a delimiter")
	}
	return &Lines{delimiter: []byte(delimiter), discarded: discarded}, nil
}

// Feed implements [Splitter].
func (l *Lines) Feed(data []byte, _ time.Time, emit func([]byte)) {
	for len(data) > 0 {
		l.partial = append(l.partial, data[:min(len(data), MaxMessage)]...)
		data = data[min(len(data), MaxMessage):]
		l.cut(emit)
	}
}

// cut hands out the lines that are complete.
func (l *Lines) cut(emit func([]byte)) {
	rest := l.partial
	for {
		line, more, found := bytes.Cut(rest, l.delimiter)
		if !found {
			break
		}
		l.end(line, emit)
		rest = more
	}
	if len(rest) > MaxMessage {
		// A possible beginning of a delimiter stays.
		keep := len(l.delimiter) - 1
		l.discarded.count(TooLong, len(rest)-keep)
		l.skipping, rest = true, rest[len(rest)-keep:]
	}
	l.partial = append(l.partial[:0], rest...)
}

func (l *Lines) end(line []byte, emit func([]byte)) {
	switch {
	case l.skipping, len(line) > MaxMessage:
		l.discarded.count(TooLong, len(line))
		l.skipping = false
	default:
		emit(line)
	}
}

// Reset implements [Splitter].
func (l *Lines) Reset() {
	l.discarded.count(Interrupted, len(l.partial))
	l.partial, l.skipping = l.partial[:0], false
}
