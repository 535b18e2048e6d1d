package rtsp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
)

const (
	wireBuffer = 128 << 10 // holds the longest frame and what follows it
	maxMessage = 64 << 10  // head and body of a message
	maxFirst   = 4 << 10   // first line of a message
	maxSkip    = 64 << 10  // bytes between damage and the next frame
	twice      = 10 * time.Second
)

var errFraming = errors.New("the camera sends bytes that belong to no message")

// wire reads the messages and frames of a connection. Cameras whose send buffer fills repeat or leave out a part of
// what they write; then everything up to the next thing that can be trusted is skipped, once in 10 s.
type wire struct {
	r *bufio.Reader
	// trusted tells whether what begins a frame fits to what was announced. It decides only after damage.
	trusted func(channel byte, head []byte) bool

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
			return nil, err
		}
		var message any
		switch {
		case head[0] == '$':
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
			w.skipped = 0
			return message, nil
		}
		if err := w.skip(); err != nil {
			return nil, err
		}
	}
}

// skip leaves a byte out that nothing begins with.
func (w *wire) skip() error {
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
	size := f.number("Content-Length", 0)
	if f.get("Content-Length") == "" && strings.Contains(strings.ToLower(f.get("Content-Type")), "sdp") {
		if _, err := w.r.Peek(n + 1); err != nil {
			return nil, err
		}
		size = w.r.Buffered() - n // a camera that does not count sends the description at once
	}
	if n+size > maxMessage {
		return nil, errFraming
	}
	whole, err := w.r.Peek(n + size)
	if err != nil {
		return nil, err
	}
	if res, ok := message.(*response); ok {
		res.body = bytes.Clone(whole[n:])
	}
	w.discard(n + size)
	return message, nil
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
