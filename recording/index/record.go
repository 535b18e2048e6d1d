package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/foxglove/mcap/go/mcap"
)

// HeaderBytes is the size of what a record begins with: what it is, and its length.
const HeaderBytes = 9

var (
	// errCut is about an end before the length of a record.
	errCut = errors.New("the file ends in the middle of a record")
	// errLong is about a record that goes beyond the end: whether its length is right cannot be known.
	errLong = errors.New("a record claims more bytes than the file has: it was cut off, or the length is damaged")
	// errInner is about a record in a chunk.
	errInner = errors.New("a record claims more bytes than its chunk has")
)

// file reads records at any place.
type file struct {
	r    io.ReaderAt
	size int64
}

// header returns what the record at a place is, and the length of its body, which is in the file.
func (f file) header(at int64) (mcap.OpCode, int64, error) {
	var h [HeaderBytes]byte
	if at < 0 || f.size-at < HeaderBytes {
		return 0, 0, errCut
	}
	if _, err := f.r.ReadAt(h[:], at); err != nil {
		return 0, 0, fmt.Errorf("read the file: %w", err)
	}
	op, length := mcap.OpCode(h[0]), binary.LittleEndian.Uint64(h[1:])
	if op == mcap.OpReserved {
		return 0, 0, errors.New("there are zeros in place of a record")
	}
	if length > uint64(f.size-at-HeaderBytes) {
		return 0, 0, errLong
	}
	return op, int64(length), nil
}

// body returns the body of a record, whose length was checked by header.
func (f file) body(at, length int64, most int64) ([]byte, error) {
	if length > most {
		return nil, fmt.Errorf("a record has %d bytes, more than %d", length, most)
	}
	data := make([]byte, length)
	if _, err := f.r.ReadAt(data, at+HeaderBytes); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	return data, nil
}

// ahead reads more than it is asked for, so that small records beside one another need one call.
type ahead struct {
	from   io.ReaderAt
	size   int64
	window int
	data   []byte // what was read
	at     int64  // where it begins
}

// ReadAt implements [io.ReaderAt], for one user.
func (a *ahead) ReadAt(p []byte, at int64) (int, error) {
	if at < a.at || at+int64(len(p)) > a.at+int64(len(a.data)) {
		if len(p) >= a.window || at < 0 || at >= a.size {
			return a.from.ReadAt(p, at)
		}
		if a.data == nil {
			a.data = make([]byte, 0, min(int64(a.window), a.size))
		}
		a.data, a.at = a.data[:min(int64(a.window), a.size-at)], at
		if n, err := a.from.ReadAt(a.data, at); n < len(a.data) {
			a.data = a.data[:0]
			return 0, err
		}
	}
	if n := copy(p, a.data[at-a.at:]); n < len(p) {
		return n, io.ErrUnexpectedEOF
	}
	return len(p), nil
}

// ForEach calls do for each record in the data of a chunk, whole ones only, with its place there.
func ForEach(data []byte, do func(op mcap.OpCode, at int, body []byte) error) error {
	for at := 0; at < len(data); {
		rest := data[at:]
		if len(rest) < HeaderBytes {
			return errInner
		}
		op, length := mcap.OpCode(rest[0]), binary.LittleEndian.Uint64(rest[1:])
		if op == mcap.OpReserved {
			return errors.New("there are zeros in place of a record")
		}
		if length > uint64(len(rest)-HeaderBytes) {
			return errInner
		}
		if err := do(op, at, rest[HeaderBytes:HeaderBytes+int(length)]); err != nil {
			return err
		}
		at += HeaderBytes + int(length)
	}
	return nil
}

// le reads numbers of an MCAP record, little-endian.
type le struct {
	data []byte
	bad  bool
}

func (l *le) take(n int) []byte {
	if n < 0 || len(l.data) < n {
		l.bad = true
		l.data = nil
		return make([]byte, min(max(n, 0), 8))
	}
	part := l.data[:n]
	l.data = l.data[n:]
	return part
}

func (l *le) uint16() uint16 { return binary.LittleEndian.Uint16(l.take(2)) }
func (l *le) uint32() uint32 { return binary.LittleEndian.Uint32(l.take(4)) }
func (l *le) uint64() uint64 { return binary.LittleEndian.Uint64(l.take(8)) }
