package mjpeg

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const (
	maxPicture = 16 << 20 // bytes of a JPEG
	maxSkip    = 16 << 20 // bytes without a JPEG
	maxLine    = 1 << 10  // of a header
)

// Markers of JPEG, behind 0xff.
const (
	soi = 0xd8 // begins a picture
	eoi = 0xd9 // ends it
	sos = 0xda // begins compressed data
	dht = 0xc4 // Huffman tables
	tem = 0x01
)

var errBroken = errors.New("broken JPEG")

// reader finds the JPEGs in a body.
type reader struct {
	in      *bufio.Reader
	now     func() time.Time
	damaged bool // something was skipped that was a picture

	picture []byte // as far as it has come
	scan    int    // where its compressed data begins, 0 if not yet
	tables  bool   // it has Huffman tables
}

// next returns the next picture, when its first byte came, and whether one before it was lost.
func (r *reader) next() (picture []byte, arrival time.Time, damaged bool, err error) {
	for {
		length, err := r.find()
		if err != nil {
			return nil, time.Time{}, false, err
		}
		arrival = r.now()
		switch err := r.read(length); {
		case err == nil:
			damaged, r.damaged = r.damaged, false
			return r.complete(), arrival, damaged, nil
		case !errors.Is(err, errBroken):
			return nil, time.Time{}, false, err
		}
		r.damaged = true
	}
}

// find goes to the next beginning of a picture, and returns the Content-Length that stands before it, 0 for none.
func (r *reader) find() (length int, err error) {
	h := head{line: make([]byte, 0, maxLine)}
	for skipped := 0; skipped < maxSkip; {
		if _, err := r.in.Peek(2); err != nil {
			return 0, err
		}
		ready, _ := r.in.Peek(r.in.Buffered()) // never fails: it is there
		n, found := h.look(ready)
		if _, err := r.in.Discard(n); err != nil {
			return 0, err
		}
		if found {
			return h.length, nil
		}
		skipped += n
	}
	return 0, feed.Failf(feed.Unsupported, "url", "url: what comes from there holds no JPEG: "+
		"write the URL of the camera's MJPEG stream or snapshot")
}

// head is what stands before a picture, line by line.
type head struct {
	line   []byte
	length int // Content-Length, 0 for none
}

// look returns how many bytes stand before a picture, or how many cannot belong to one.
func (h *head) look(ready []byte) (n int, found bool) {
	for n, b := range ready {
		switch {
		case b == 0xff && n+1 == len(ready):
			return n, false
		case b == 0xff && ready[n+1] == soi:
			if len(h.line) > 0 { // the length is not that of what begins here
				h.length = 0
			}
			return n, true
		case b == '\n':
			h.length = contentLength(string(h.line), h.length)
			h.line = h.line[:0]
		case b != '\r' && len(h.line) < maxLine:
			h.line = append(h.line, b)
		}
	}
	return len(ready), false
}

// contentLength returns what a line of a header says, else what was known before.
func contentLength(line string, before int) int {
	name, value, ok := strings.Cut(line, ":")
	switch {
	case ok && strings.EqualFold(strings.TrimSpace(name), "Content-Length"):
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 4 || n > maxPicture {
			return 0
		}
		return n
	case strings.HasPrefix(line, "--"): // another part begins
		return 0
	}
	return before
}

// read reads a picture to its end.
func (r *reader) read(length int) error {
	r.picture, r.scan, r.tables = make([]byte, 0, min(max(length, 32<<10), 512<<10)), 0, false
	err := r.walk(length)
	if errors.Is(err, errNoEnd) {
		r.picture = append(r.picture, 0xff, eoi)
		return nil
	}
	if errors.Is(err, io.EOF) {
		r.damaged = true
		return io.ErrUnexpectedEOF
	}
	return err
}

// errNoEnd says that a picture has the announced length, and another part follows, but no end.
var errNoEnd = errors.New("a JPEG without end")

// walk goes from marker to marker.
func (r *reader) walk(length int) error {
	if err := r.take(2); err != nil {
		return err
	}
	for {
		marker, err := r.marker(length)
		switch {
		case err != nil:
			return err
		case marker == eoi:
			return nil
		case marker == tem || marker >= 0xd0 && marker <= soi:
			continue
		case marker == dht:
			r.tables = true
		}
		start := len(r.picture) - 2
		if err := r.take(2); err != nil {
			return err
		}
		size := int(r.picture[len(r.picture)-2])<<8 | int(r.picture[len(r.picture)-1])
		if size < 2 {
			return errBroken
		}
		if err := r.take(size - 2); err != nil {
			return err
		}
		if marker != sos {
			continue
		}
		if r.scan == 0 {
			r.scan = start
		}
		if err := r.compressed(length); err != nil {
			return err
		}
	}
}

// marker reads a marker, and the filling before it.
func (r *reader) marker(length int) (byte, error) {
	if r.ended(length) {
		return 0, errNoEnd
	}
	if err := r.take(1); err != nil {
		return 0, err
	}
	if r.picture[len(r.picture)-1] != 0xff {
		return 0, errBroken
	}
	for {
		if err := r.take(1); err != nil {
			return 0, err
		}
		if b := r.picture[len(r.picture)-1]; b != 0xff {
			return b, nil
		}
	}
}

// compressed reads compressed data up to the next marker that ends it.
func (r *reader) compressed(length int) error {
	for {
		if r.ended(length) {
			return errNoEnd
		}
		next, err := r.in.Peek(2)
		if err != nil {
			return err
		}
		if next[0] == 0xff && next[1] == soi {
			r.cut()
			return errNoEnd
		}
		if next[0] == 0xff && next[1] != 0 && (next[1] < 0xd0 || next[1] > 0xd7) {
			return nil
		}
		ready, _ := r.in.Peek(r.in.Buffered()) // never fails: it is there
		n := bytes.IndexByte(ready[1:], 0xff) + 1
		if n == 0 {
			n = len(ready)
		}
		if length > len(r.picture) {
			n = min(n, length-len(r.picture))
		}
		if next[0] == 0xff { // and what follows it says that it is data
			n = 2
		}
		if err := r.take(n); err != nil {
			return err
		}
	}
}

// cut removes what stands between a picture without end and the next one.
func (r *reader) cut() {
	if i := bytes.LastIndex(r.picture[r.scan:], []byte("\n--")); i >= 0 {
		r.picture = bytes.TrimSuffix(r.picture[:r.scan+i], []byte("\r"))
	}
}

// ended says whether the picture has the length that was announced, and what follows is no part of it.
func (r *reader) ended(length int) bool {
	if length == 0 || len(r.picture) != length {
		return false
	}
	next, err := r.in.Peek(2)
	return err != nil || string(next) == "\r\n" || string(next) == "--"
}

// take moves n bytes from the input to the picture.
func (r *reader) take(n int) error {
	if len(r.picture)+n > maxPicture {
		return feed.Failf(feed.Unsupported, "url",
			"url: the camera's pictures are larger than 16 MiB: set it to a smaller size")
	}
	for n > 0 {
		if _, err := r.in.Peek(1); err != nil {
			return err
		}
		ready, _ := r.in.Peek(min(n, r.in.Buffered())) // never fails: it is there
		r.picture = append(r.picture, ready...)
		if _, err := r.in.Discard(len(ready)); err != nil {
			return err
		}
		n -= len(ready)
	}
	return nil
}

// complete returns the picture, with the standard Huffman tables if it has none.
func (r *reader) complete() []byte {
	if r.tables || r.scan == 0 {
		return r.picture
	}
	tables := standardTables()
	whole := make([]byte, 0, len(r.picture)+len(tables))
	whole = append(whole, r.picture[:r.scan]...)
	whole = append(whole, tables...)
	return append(whole, r.picture[r.scan:]...)
}

// drained says that the body ended where it may: between two pictures.
func drained(err error) bool { return errors.Is(err, io.EOF) }
