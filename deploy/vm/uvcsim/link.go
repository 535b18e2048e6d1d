package uvcsim

import (
	"io"
	"sync"
)

// link is the camera's side of one connection: it holds the URBs that wait for video and writes all answers.
//
// Answering a URB and taking it back exclude each other: the kernel drops the connection if it receives an answer to a
// URB whose removal was confirmed.
type link struct {
	arrived chan struct{} // holds a token when a URB has arrived

	mu      sync.Mutex
	w       io.Writer
	waiting []command // URBs of the video endpoint, oldest first
	stream  uint64    // grows when the host stops or starts the stream
}

func newLink(w io.Writer) *link {
	return &link{w: w, arrived: make(chan struct{}, 1)}
}

// enqueue holds a URB of the video endpoint until there is data for it.
func (l *link) enqueue(c command) {
	l.mu.Lock()
	l.waiting = append(l.waiting, c)
	l.mu.Unlock()
	select {
	case l.arrived <- struct{}{}:
	default:
	}
}

// unlink takes back the URB that c names, if it still waits.
func (l *link) unlink(c command) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, urb := range l.waiting {
		if urb.seq == c.victim {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			l.stream++
			return l.write(unlinkReply(c.seq, statusUnlink))
		}
	}
	return l.write(unlinkReply(c.seq, statusOK))
}

// restart makes the stream continue at the beginning of a picture. The rest of the current picture is not sent.
func (l *link) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stream++
}

// answer completes a control transfer.
func (l *link) answer(c command, ok bool, data []byte) error {
	status, moved := int32(statusOK), len(data)
	if !c.toHost {
		data, moved = nil, len(c.data)
	}
	if !ok {
		status, data, moved = statusStall, nil, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(submitReply(c.seq, status, moved, data))
}

// await waits until the host requests video and returns the number of its stream, or false when done is closed.
func (l *link) await(done <-chan struct{}) (stream uint64, ok bool) {
	for {
		l.mu.Lock()
		stream, ok = l.stream, len(l.waiting) > 0
		l.mu.Unlock()
		if ok {
			return stream, true
		}
		select {
		case <-l.arrived:
		case <-done:
			return 0, false
		}
	}
}

// deliver sends one payload in the oldest waiting URB, and waits for one if necessary. It returns false, without
// sending, if the host has ended the stream meanwhile or done is closed.
func (l *link) deliver(done <-chan struct{}, stream uint64, payload []byte) (bool, error) {
	for {
		if _, ok := l.await(done); !ok {
			return false, nil
		}
		l.mu.Lock()
		if l.stream != stream {
			l.mu.Unlock()
			return false, nil
		}
		if len(l.waiting) > 0 { // the URB may have been taken back since await
			defer l.mu.Unlock()
			urb := l.waiting[0]
			l.waiting = l.waiting[1:]
			if int(urb.length) < len(payload) {
				return true, l.write(submitReply(urb.seq, statusOverflow, 0, nil))
			}
			return true, l.write(submitReply(urb.seq, statusOK, len(payload), payload))
		}
		l.mu.Unlock()
	}
}

func (l *link) write(b []byte) error {
	_, err := l.w.Write(b)
	return err
}
