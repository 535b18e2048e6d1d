package rtmp

import (
	"errors"
	"net"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/message"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const (
	maxGreeting   = 256 << 10 // bytes that a stranger may send before we know who they are
	maxUnreadable = 64        // messages in a row that cannot be read
	chunkSize     = 65536
	window        = 2500000
	control       = 3 // chunk stream of commands
)

var errTooMuch = errors.New("too much before the greeting is over")

// wire is a TCP connection whose reads and writes have deadlines, and which knows whether it was the one that failed.
type wire struct {
	net.Conn
	silence time.Duration
	until   time.Time // of the greeting; zero afterwards
	left    int       // bytes of the greeting
	failed  error
}

// greet bounds what comes until welcome is called.
func (w *wire) greet(limit time.Duration) { w.until, w.left = time.Now().Add(limit), maxGreeting }

func (w *wire) welcome() { w.until = time.Time{} }

func (w *wire) deadline() time.Time {
	if w.until.IsZero() {
		return time.Now().Add(w.silence)
	}
	return w.until
}

func (w *wire) Read(b []byte) (n int, err error) {
	if !w.until.IsZero() && w.left <= 0 {
		err = errTooMuch
	} else if err = w.SetReadDeadline(w.deadline()); err == nil {
		n, err = w.Conn.Read(b)
	}
	w.left -= n
	if err != nil {
		w.failed = err
	}
	return n, err
}

func (w *wire) Write(b []byte) (n int, err error) {
	if err = w.SetWriteDeadline(w.deadline()); err == nil {
		n, err = w.Conn.Write(b)
	}
	if err != nil {
		w.failed = err
	}
	return n, err
}

// session reads and writes messages over a wire, after the handshake.
type session struct {
	wire     *wire
	messages *message.ReadWriter
}

func newSession(w *wire, counted *bytecounter.ReadWriter) *session {
	return &session{w, message.NewReadWriter(counted, counted, false)}
}

// read returns the next message that can be read.
func (s *session) read() (message.Message, error) {
	for range maxUnreadable {
		m, err := s.messages.Read()
		if err == nil {
			return m, nil
		}
		if s.wire.failed != nil {
			return nil, s.wire.failed
		}
	}
	return nil, feed.Failf(feed.Unsupported, "url",
		"nothing that comes can be read: set the sender to H.264 video and AAC sound")
}

// command returns the next command, and skips what else comes.
func (s *session) command() (*message.CommandAMF0, error) {
	for {
		m, err := s.read()
		if err != nil {
			return nil, err
		}
		if c, ok := m.(*message.CommandAMF0); ok {
			return c, nil
		}
	}
}

// send writes messages until one cannot be written.
func (s *session) send(all ...message.Message) error {
	for _, m := range all {
		if err := s.messages.Write(m); err != nil {
			return err
		}
	}
	return nil
}

// object returns argument i of a command, nil if it is no object.
func object(c *message.CommandAMF0, i int) amf0.Object {
	if i >= len(c.Arguments) {
		return nil
	}
	switch o := c.Arguments[i].(type) {
	case amf0.Object:
		return o
	case amf0.ECMAArray:
		return amf0.Object(o)
	}
	return nil
}

// text returns a text of argument i of a command.
func text(c *message.CommandAMF0, i int, key string) string {
	s, _ := object(c, i).GetString(key)
	return s
}

// word returns argument i of a command if it is a text.
func word(c *message.CommandAMF0, i int) string {
	if i >= len(c.Arguments) {
		return ""
	}
	s, _ := c.Arguments[i].(string)
	return s
}
