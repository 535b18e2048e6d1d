package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/parts"
)

const (
	// sessionLabel is the channel that carries a session out of a rendezvous server's reach.
	sessionLabel = "waldo.session"
	// sessionWaiting is how many bytes may wait to be sent.
	sessionWaiting = 256 << 10
)

// sessionChannel is a data channel as a transport.
type sessionChannel struct {
	dc      *webrtc.DataChannel
	room    chan struct{} // holds a token when there may be room to send
	sending sync.Mutex    // parts of two messages are never mixed
	joiner  *parts.Joiner // used by the receiver only
}

// openSession opens the session on the connection. It must come before the first offer.
func (l *link) openSession() {
	w := newWire(l.robot.calls, &l.robot.clock)
	s := &sessionChannel{room: make(chan struct{}, 1), joiner: parts.NewJoiner(maxMessage)}
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
		message, complete, err := s.joiner.Add(m.Data)
		if err != nil {
			w.lose(fmt.Errorf("the gateway: %w", err))
		} else if complete {
			w.received(message)
		}
	})
	dc.OnClose(func() { w.lose(errors.New("the gateway has closed the session")) })
}

// Send implements transport.
func (s *sessionChannel) Send(ctx context.Context, data []byte) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	for part := range parts.Split(data, maxChannelMessage) {
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
