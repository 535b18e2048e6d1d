package rtsp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	wireBuffer = 128 << 10 // holds the longest frame and what follows it
	maxMessage = 64 << 10  // head and body of a message
	maxFirst   = 4 << 10   // first line of a message
	maxSkip    = 64 << 10  // bytes between damage and the next frame
	twice      = 10 * time.Second
)

var (
	errFraming = errors.New("the camera sends bytes that belong to no message: use its second stream, or restart it")
	// errForeign is told of what has never sent a message.
	errForeign = errors.New("the camera sends bytes that belong to no message: check the port in url")
)

// wire reads the messages and frames of a connection. Cameras whose send buffer fills repeat or leave out a part of
// what they write; then everything up to the next thing that can be trusted is skipped, once in 10 s.
type wire struct {
	r *bufio.Reader
	// trusted tells whether what begins a frame fits to what was announced. It decides only after damage.
	trusted func(channel byte, head []byte) bool
	// limit bounds how long the next reads take; 0 ends the bound. Nil waits.
	limit func(time.Duration)

	heard   bool        // a message has come
	foreign atomic.Bool // something else has come, and no message

	lost    time.Time // when bytes were skipped last
	skipped int       // bytes since then, while searching
	slab    []byte    // of which payloads are made
}

func newWire(r io.Reader, trusted func(byte, []byte) bool) *wire {
	return &wire{r: bufio.NewReaderSize(r, wireBuffer), trusted: trusted}
}

// next returns a *response, a *request or a frame.
func (w *wire) next() (any, error) {
	for {
		head, err := w.r.Peek(4)
		if err != nil {
			w.doubt(len(head) > 0)
			return nil, err
		}
		var message any
		switch {
		case head[0] == '$':
			w.doubt(true)
			message, err = w.frame(head[1], int(head[2])<<8|int(head[3]))
		case isWord(head):
			message, err = w.text()
		case w.skipped == 0 && (head[0] == '\r' || head[0] == '\n'): // between messages
			w.discard(1)
			continue
		}
		switch {
		case err != nil:
			return nil, err
		case message != nil:
			w.hear(message)
			w.skipped = 0
			return message, nil
		}
		if err := w.skip(); err != nil {
			return nil, err
		}
	}
}

// doubt notes that something has come which is no message, unless there was one before.
func (w *wire) doubt(something bool) {
	if something && !w.heard {
		w.foreign.Store(true)
	}
}

// hear notes that what is at the other end speaks RTSP; frames alone do not show that.
func (w *wire) hear(message any) {
	if _, data := message.(frame); !data && !w.heard {
		w.heard = true
		w.foreign.Store(false)
	}
}

// skip leaves a byte out that nothing begins with.
func (w *wire) skip() error {
	w.doubt(true)
	if w.skipped == 0 {
		now := time.Now()
		if !w.lost.IsZero() && now.Sub(w.lost) < twice {
			return errFraming
		}
		w.lost = now
	}
	if w.skipped++; w.skipped > maxSkip {
		return errFraming
	}
	w.discard(1)
	return nil
}

func (w *wire) discard(n int) { _, _ = w.r.Discard(n) } // they are buffered

// frame returns a frame, nil if there is none. An empty one is a frame too.
func (w *wire) frame(channel byte, size int) (any, error) {
	if w.skipped > 0 {
		head, err := w.r.Peek(4 + min(size, 12))
		if err != nil {
			return nil, err
		}
		if size < 8 || !w.trusted(channel, head[4:]) {
			return nil, nil
		}
	}
	whole, err := w.r.Peek(4 + size)
	if err != nil {
		return nil, err
	}
	if w.r.Buffered() > 4+size {
		if more, _ := w.r.Peek(4 + size + 1); !begins(more[4+size]) {
			return nil, nil // it was cut short, and what follows is somewhere in it
		}
		whole, _ = w.r.Peek(4 + size)
	}
	f := frame{channel, w.keep(whole[4:])}
	w.discard(4 + size)
	return f, nil
}

// keep copies what is only in the buffer. Small payloads share memory.
func (w *wire) keep(b []byte) []byte {
	if len(b) > len(w.slab) {
		w.slab = make([]byte, max(len(b), 32<<10))
	}
	kept := w.slab[:len(b):len(b)]
	w.slab = w.slab[len(b):]
	copy(kept, b)
	return kept
}

// begins tells whether a message or frame can begin with a byte.
func begins(c byte) bool { return c == '$' || c == '\r' || c == '\n' || 'A' <= c && c <= 'Z' }

// isWord tells whether four bytes can be the beginning of RTSP/1.0 or of a method.
func isWord(head []byte) bool {
	for _, c := range head {
		if c != '_' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// text returns a message, nil if there is none.
func (w *wire) text() (any, error) {
	n, err := w.headLength()
	if n == 0 || err != nil {
		return nil, err
	}
	head, err := w.r.Peek(n)
	if err != nil {
		return nil, err
	}
	message, f, err := parseHead(head)
	if err != nil {
		return nil, nil
	}
	body, err := w.body(n, f)
	if err != nil {
		return nil, err
	}
	if res, ok := message.(*response); ok {
		res.body = bytes.Clone(body)
	}
	w.discard(n + len(body))
	return message, nil
}

// Bounds of waiting for a body of which the camera counted the bytes wrongly, or not at all.
const (
	uncounted = 200 * time.Millisecond // of silence, after which it is whole
	missing   = time.Second            // of silence, after which no more of it is expected
)

// body returns what follows a head of n bytes. Cameras count too much, too little, or not at all; a description says
// itself where it goes on.
func (w *wire) body(n int, f fields) ([]byte, error) {
	size, err := strconv.ParseUint(f.get("Content-Length"), 10, 31)
	counts := err == nil
	if n+int(size) > maxMessage {
		return nil, errFraming
	}
	describes := strings.Contains(strings.ToLower(f.get("Content-Type")), "sdp") || isLine(w.behind(n))
	switch {
	case counts:
		err = w.await(n+int(size), missing)
	case describes:
		err = w.await(maxMessage, uncounted)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	body := w.behind(n)
	end := min(int(size), len(body))
	if describes {
		end = endOfLines(body, end)
	}
	return body[:end], nil
}

// behind is what is already there behind n bytes.
func (w *wire) behind(n int) []byte {
	b, _ := w.r.Peek(w.r.Buffered()) // never fails: it is there
	return b[min(n, len(b)):]
}

// await waits until n bytes are there, or nothing has come for a while.
func (w *wire) await(n int, silence time.Duration) error {
	if w.limit != nil {
		defer w.limit(0)
	}
	for w.r.Buffered() < n {
		if w.limit != nil {
			w.limit(silence)
		}
		switch _, err := w.r.Peek(w.r.Buffered() + 1); {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF):
			return nil // the next read tells
		case err != nil:
			return err
		}
	}
	return nil
}

// isLine tells whether a line of a description begins here.
func isLine(b []byte) bool { return len(b) >= 2 && 'a' <= b[0] && b[0] <= 'z' && b[1] == '=' }

// endOfLines is where a description ends of which at least so many bytes are counted: it may go on in the middle of a
// line, and with further lines.
func endOfLines(b []byte, counted int) int {
	end := counted
	within := end > 0 && end < len(b) && b[end-1] != '\n' && b[end-1] != '\r'
	for end < len(b) && (isLine(b[end:]) || within && b[end] != '$' && (len(b) < end+4 || !isWord(b[end:end+4]))) {
		within = false
		line := bytes.IndexAny(b[end:], "\r\n")
		if line < 0 {
			return len(b)
		}
		for end += line; end < len(b) && (b[end] == '\r' || b[end] == '\n'); end++ {
		}
	}
	return end
}

// headLength is how far the empty line behind a head is, 0 if what stands here is no head.
func (w *wire) headLength() (int, error) {
	for seen := 0; ; {
		b, err := w.r.Peek(max(w.r.Buffered(), seen+1))
		if err != nil {
			return 0, err
		}
		line := bytes.IndexByte(b, '\n')
		if line >= 0 && !bytes.Contains(b[:line], []byte("RTSP/")) || line < 0 && len(b) > maxFirst {
			return 0, nil
		}
		if n := endOfHead(b); n > 0 {
			return n, nil
		}
		if seen = len(b); seen > maxMessage {
			return 0, nil
		}
	}
}

// endOfHead is the length of a head with the empty line behind it, 0 if that is not there.
func endOfHead(b []byte) int {
	for i := 0; ; {
		line := bytes.IndexByte(b[i:], '\n')
		if line < 0 {
			return 0
		}
		i += line + 1
		if bytes.HasPrefix(b[i:], []byte("\n")) {
			return i + 1
		}
		if bytes.HasPrefix(b[i:], []byte("\r\n")) {
			return i + 2
		}
	}
}
