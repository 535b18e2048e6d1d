package peer

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	// sessionLabel is the channel that carries a session out of a rendezvous server's reach.
	sessionLabel = "waldo.session"
	// A message that does not fit is sent in parts, whose first character tells them from whole messages.
	partToFollow, partLast = '+', '.'
	// sessionWaiting is how many bytes may wait to be sent.
	sessionWaiting = 256 << 10
)

// sessionChannel is a data channel as a transport.
type sessionChannel struct {
	dc      *webrtc.DataChannel
	room    chan struct{} // holds a token when there may be room to send
	sending sync.Mutex    // parts of two messages are never mixed
	parts   parts         // used by the receiver only
}

// openSession opens the session on the connection. It must come before the first offer.
func (l *link) openSession() {
	w := newWire(l.robot.calls)
	s := &sessionChannel{room: make(chan struct{}, 1)}
	w.transport = s
	dc, err := l.conn.pc.CreateDataChannel(sessionLabel, nil)
	if err != nil {
		l.why = err.Error()
		l.by = nil // nothing comes of this connection
		return
	}
	s.dc = dc
	l.conn.session, l.main = s, w
	dc.SetBufferedAmountLowThreshold(sessionWaiting / 2)
	dc.OnBufferedAmountLow(func() {
		select {
		case s.room <- struct{}{}:
		default:
		}
	})
	dc.OnMessage(func(m webrtc.DataChannelMessage) {
		message, err := s.parts.join(m.Data)
		if err != nil {
			w.lose(err)
		} else if message != nil {
			w.received(message)
		}
	})
	dc.OnClose(func() { w.lose(errors.New("the gateway has closed the session")) })
}

// Send implements transport.
func (s *sessionChannel) Send(ctx context.Context, data []byte) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	for more := true; more; {
		part := data
		if data[0] != '{' || len(data) > maxChannelMessage {
			n := min(len(data), maxChannelMessage-1)
			kind := byte(partLast)
			if n < len(data) {
				kind = partToFollow
			}
			part, data, more = append([]byte{kind}, data[:n]...), data[n:], n < len(data)
		} else {
			more = false
		}
		if err := s.sendPart(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// sendPart sends what fits into a message of the channel, and waits for room first.
func (s *sessionChannel) sendPart(ctx context.Context, part []byte) error {
	for s.dc.BufferedAmount() > sessionWaiting {
		select {
		case <-s.room:
		case <-time.After(pingEvery): // the channel may be closed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.dc.SendText(string(part))
}

// Close implements transport. The connection waits for the channel's end.
func (s *sessionChannel) Close() { _ = s.dc.Close() }

// parts joins messages that came in parts. The zero value is ready to use.
type parts struct{ waiting bytes.Buffer }

// join returns the message that a part completes, or nil if there is more to come.
func (p *parts) join(part []byte) ([]byte, error) {
	switch {
	case len(part) == 0:
		return nil, errors.New("the gateway sent an empty message")
	case part[0] != partToFollow && part[0] != partLast:
		p.waiting.Reset()
		return part, nil
	case p.waiting.Len()+len(part) > maxMessage:
		return nil, errors.New("the gateway sent a message that is too large")
	}
	p.waiting.Write(part[1:])
	if part[0] == partToFollow {
		return nil, nil
	}
	message := bytes.Clone(p.waiting.Bytes())
	p.waiting.Reset()
	return message, nil
}
