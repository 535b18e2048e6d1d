package linktest

import (
	"sync"
	"time"
)

// Line is one direction of a link. It is safe for concurrent use.
type Line struct {
	mu     sync.Mutex
	model  *model
	began  time.Time
	seed   uint64
	cut    bool
	closed bool

	wake chan struct{} // something changed for the goroutine
	over sync.WaitGroup
}

// NewLine starts a line. The seed decides all that is random: what befalls the nth packet, and when stalls come.
func NewLine(s Shape, seed uint64) (*Line, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	l := &Line{model: newModel(s, seed), began: time.Now(), seed: seed, wake: make(chan struct{}, 1)}
	l.over.Go(l.run)
	return l, nil
}

// Send takes a packet of so many bytes with its headers, which belongs to the line from now on. Unless it is dropped,
// the line calls deliver with it when it arrives, one packet after another; deliver must not block. After Close the
// line takes nothing.
func (l *Line) Send(data []byte, size int, deliver func([]byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.began)
	switch {
	case l.closed:
	case l.cut:
		l.model.stats.Offered.add(size)
		l.model.stats.Cut.add(size)
	default:
		before := l.model.next()
		l.model.add(now, packet{data: data, size: size, deliver: deliver})
		if l.model.next() < before {
			l.poke()
		}
	}
}

// Restart gives the line another shape from now on, with its first step, the first of its random decisions, and empty
// statistics. What has left arrives when it would have; what waits, waits in the new queue.
func (l *Line) Restart(s Shape) error {
	if err := s.Check(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.model.settle(now.Sub(l.began))
	l.model, l.began = l.model.renew(newModel(s, l.seed), now.Sub(l.began)), now
	l.poke()
	return nil
}

// Cut drops everything, also what is on the way, until Join.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	l.model.drop(time.Since(l.began))
}

// Join ends Cut.
func (l *Line) Join() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// Stats returns a copy of the statistics.
func (l *Line) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.model.settle(time.Since(l.began))
	return l.model.stats.clone()
}

// Close ends the line and waits for its goroutine. What is on the way is dropped.
func (l *Line) Close() {
	l.mu.Lock()
	l.closed = true
	l.poke()
	l.mu.Unlock()
	l.over.Wait()
}

func (l *Line) poke() {
	select {
	case l.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run delivers packets when they are due, until the line is closed.
func (l *Line) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due []packet
	for {
		var wait time.Duration
		var open bool
		if due, wait, open = l.due(due[:0]); !open {
			return
		}
		for i, p := range due {
			p.deliver(p.data)
			due[i] = packet{}
		}
		if len(due) > 0 {
			continue // meanwhile more may be due
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-l.wake:
		}
	}
}

// due appends the packets that are due, and returns how long the next one takes.
func (l *Line) due(to []packet) (due []packet, wait time.Duration, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.began)
	if !l.closed {
		to = l.model.arrive(now, to)
	}
	wait = l.model.next()
	if wait != never {
		wait -= now
	}
	return to, wait, !l.closed
}
