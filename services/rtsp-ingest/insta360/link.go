package insta360

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// ErrTooMany says that too many commands wait for an answer.
var ErrTooMany = errors.New("too many commands wait for the camera's answer: wait for some of them")

// link is a connection on which commands are answered. One goroutine at a time calls step and ask; call is safe for
// concurrent use.
type link struct {
	socket   net.Conn
	in       *wire.Reader
	streamed func(p wire.Packet, arrival time.Time)
	notified func(p wire.Packet)
	synced   bool // the camera has answered the synchronisation; belongs to the goroutine that reads

	writing sync.Mutex
	beating sync.WaitGroup
	done    chan struct{} // closed when the connection has ended

	mu       sync.Mutex
	err      error // why it has ended
	sequence uint32
	waiting  map[uint32]chan wire.Packet
}

// newLink starts to send keepalives.
func newLink(socket net.Conn) *link {
	l := &link{socket: socket, in: wire.NewReader(socket), done: make(chan struct{}),
		waiting: map[uint32]chan wire.Packet{}}
	l.beating.Go(l.beat)
	return l
}

// close ends the connection, if it has not ended, and waits until its goroutine has.
func (l *link) close(why error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = why
		close(l.done)
	}
	l.mu.Unlock()
	_ = l.socket.Close() // nothing is left to be sent
	l.beating.Wait()
}

// cut makes step fail.
func (l *link) cut() { _ = l.socket.Close() }

func (l *link) beat() {
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ticker.C:
			if l.send(wire.Packet{Kind: wire.KeepAlive}) != nil {
				return
			}
		}
	}
}

// send sends a packet. A connection on which that fails is cut, which the goroutine that reads notices.
func (l *link) send(p wire.Packet) error {
	b := p.Append(nil)
	l.writing.Lock()
	defer l.writing.Unlock()
	err := l.socket.SetWriteDeadline(time.Now().Add(writeTime))
	if err == nil {
		_, err = l.socket.Write(b)
	}
	if err != nil {
		l.cut()
		return feed.Failf(feed.Away, "", "the camera takes no commands: the connection is made again")
	}
	return nil
}

// step reads one packet and hands it to whom it belongs.
func (l *link) step() error {
	if err := l.socket.SetReadDeadline(time.Now().Add(maxSilence)); err != nil {
		return broken(err)
	}
	if err := l.in.Begin(); err != nil {
		return broken(err)
	}
	arrival := time.Now()
	p, err := l.in.Next()
	if err != nil {
		return broken(err)
	}
	switch {
	case p.Kind == wire.Stream:
		l.streamed(p, arrival)
	case p.Kind == wire.Sync:
		l.synced = true
	case p.Kind == wire.Message && p.Code.IsNotification():
		l.notified(p)
	case p.Kind == wire.Message && p.Code.IsAnswer():
		l.answered(p)
	}
	return nil
}

func broken(err error) error {
	switch {
	case errors.Is(err, wire.ErrLength):
		return feed.Failf(feed.Away, "", "the camera sent %w: the connection is made again", err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return feed.Failf(feed.Away, "", "nothing came from the camera for %v: check its battery and the Wi-Fi", maxSilence)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return feed.Failf(feed.Away, "",
			"the camera closed the connection: check whether it was switched off, or an app uses it")
	}
	return feed.Failf(feed.Away, "", "the connection to the camera broke: check its battery and the Wi-Fi")
}

// answered hands an answer to the command that has its sequence number, if that still waits.
func (l *link) answered(p wire.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to := l.waiting[p.Sequence]; to != nil {
		delete(l.waiting, p.Sequence)
		to <- p // it has room for one
	}
}

// begin sends a command and returns where its answer will come. The caller forgets it in the end.
func (l *link) begin(code wire.Code, body []byte) (sequence uint32, answer <-chan wire.Packet, err error) {
	to := make(chan wire.Packet, 1)
	if sequence, err = l.reserve(to); err != nil {
		return 0, nil, err
	}
	if err := l.send(wire.Packet{Kind: wire.Message, Code: code, Sequence: sequence, Data: body}); err != nil {
		l.forget(sequence)
		return 0, nil, err
	}
	return sequence, to, nil
}

// reserve returns a sequence number that nobody waits for.
func (l *link) reserve(to chan wire.Packet) (uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return 0, l.err
	case len(l.waiting) >= maxCommands:
		return 0, ErrTooMany
	}
	for l.sequence == 0 || l.waiting[l.sequence] != nil {
		l.sequence = (l.sequence + 1) & wire.MaxSequence
	}
	sequence := l.sequence
	l.waiting[sequence] = to
	l.sequence = (l.sequence + 1) & wire.MaxSequence
	return sequence, nil
}

func (l *link) forget(sequence uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, sequence)
}

// ask sends a command and reads until it is answered, for the goroutine that reads.
func (l *link) ask(code wire.Code, body []byte) ([]byte, error) {
	sequence, answer, err := l.begin(code, body)
	if err != nil {
		return nil, err
	}
	defer l.forget(sequence)
	for {
		select {
		case p := <-answer:
			return result(code, p)
		default:
		}
		if err := l.step(); err != nil {
			return nil, err
		}
	}
}

// call sends a command and waits until it is answered while another goroutine reads.
func (l *link) call(ctx context.Context, code wire.Code, body []byte) ([]byte, error) {
	sequence, answer, err := l.begin(code, body)
	if err != nil {
		return nil, err
	}
	defer l.forget(sequence)
	select {
	case p := <-answer:
		return result(code, p)
	case <-l.done:
		return nil, l.err // written before done was closed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// result is what an answer says.
func result(command wire.Code, p wire.Packet) ([]byte, error) {
	if p.Code == wire.OK {
		return p.Data, nil
	}
	failure := &CommandError{Command: command, Status: p.Code}
	if e, err := wire.ParseError(p.Data); err == nil {
		failure.Code, failure.Message = e.Code, e.Message
	}
	return nil, failure
}
