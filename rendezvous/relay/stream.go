package relay

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/waldo-robot/waldo/pkg/socket"
)

// maxFrame is the longest message over TCP; WebRTC sends less than a tenth.
const maxFrame = 16 << 10

// idle is how long a connection without an allocation is kept.
const idle = 30 * time.Second

// stream is a client that reaches the relay by TCP, with or without TLS. To the server of pion it is a connection on
// which only control messages arrive, each with one call of Read; ChannelData goes straight to the peers.
type stream struct {
	net.Conn
	port *streamPort
	kind string
	at   netip.AddrPort

	allocation  atomic.Pointer[allocation]
	transaction atomic.Pointer[transaction] // of the request that pion handles

	// Only the goroutine that reads uses these.
	buffer   [maxFrame]byte
	from, to int // what is not handled yet
	run      socket.Run
	peer     netip.AddrPort
}

var errFraming = errors.New("this is neither STUN nor ChannelData, or too long")

// Read implements [net.Conn] for the server of pion. It passes ChannelData on until a control message comes.
func (s *stream) Read(b []byte) (int, error) {
	for {
		message, err := s.next()
		if err != nil {
			return 0, err
		}
		if number, payload, ok := channelData(message); ok {
			s.forward(number, payload)
			continue
		}
		s.flush() // before what the message changes
		v := s.port.relay.gate.check(message, s.at, s.allocation.Load())
		if v.answer != nil {
			if err := write(s.Conn, v.answer); err != nil {
				return 0, err
			}
		}
		if v.pass {
			t := transactionOf(message)
			s.transaction.Store(&t)
			return copy(b, message), nil
		}
	}
}

// next returns the next message, which is valid until it is called again. What follows ChannelData as padding is left
// out.
func (s *stream) next() ([]byte, error) {
	for {
		size, padded, err := frameSize(s.buffer[s.from:s.to])
		if err != nil {
			return nil, err
		}
		if size > 0 && s.from+padded <= s.to {
			message := s.buffer[s.from : s.from+size]
			s.from += padded
			return message, nil
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// fill waits for more. What was taken for a peer is sent before.
func (s *stream) fill() error {
	s.flush()
	s.to = copy(s.buffer[:], s.buffer[s.from:s.to])
	s.from = 0
	if s.allocation.Load() == nil {
		if err := s.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
	}
	n, err := s.Conn.Read(s.buffer[s.to:])
	s.to += n
	if n > 0 {
		return nil
	}
	return err
}

// frameSize returns how long the message is that begins here, without and with padding; RFC 8656, 3.5 and 12.5. It is
// 0 if that is not known yet.
func frameSize(b []byte) (size, padded int, err error) {
	if len(b) < channelHeader {
		return 0, 0, nil
	}
	size = int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case isChannelData(b[0]):
		size += channelHeader
		padded = (size + 3) &^ 3
	case b[0]>>6 == 0:
		size += stunHeader
		padded = size
		if size >= maxControl {
			return 0, 0, errFraming
		}
	default:
		return 0, 0, errFraming
	}
	if padded > maxFrame {
		return 0, 0, errFraming
	}
	return size, padded, nil
}

func (s *stream) forward(number uint16, payload []byte) {
	peer, ok := s.allocation.Load().peer(number)
	if !ok {
		s.port.relay.metrics.lose(lostChannel, 1)
		return
	}
	if peer == s.peer && s.run.Add(payload) {
		return
	}
	s.flush()
	s.peer = peer
	s.run.Add(payload)
}

func (s *stream) flush() {
	if held := s.allocation.Load(); held != nil {
		held.send(&s.run, s.peer)
	}
	s.run.Reset()
}

// Write implements [net.Conn] for the server of pion.
func (s *stream) Write(b []byte) (int, error) { return len(b), write(s.Conn, b) }

// Close implements [net.Conn].
func (s *stream) Close() error {
	s.port.leave(s)
	return s.Conn.Close()
}

func (s *stream) outbox() outbox          { return &frames{conn: s.Conn} }
func (s *stream) slow() bool              { return true }
func (s *stream) transport() string       { return s.kind }
func (s *stream) address() netip.AddrPort { return s.at }
func (s *stream) held() *allocation       { return s.allocation.Load() }

func (s *stream) attach(a *allocation) {
	s.allocation.Store(a)
	_ = s.SetReadDeadline(time.Time{}) // if it is closed, Read tells
}

func (s *stream) detach(a *allocation) {
	if s.allocation.CompareAndSwap(a, nil) {
		_ = s.SetReadDeadline(time.Now().Add(idle))
	}
}
