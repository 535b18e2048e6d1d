package uplink_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// line is the way from a robot to its hub: what several connections send to the hub goes through it byte after byte, at
// a rate, behind a queue of a size that holds back who sends. The other direction is fast. It counts what passes.
type line struct {
	rate  int // bytes a second; 0 for any
	ctx   context.Context
	queue chan chunk
	work  sync.WaitGroup
	up    atomic.Int64 // bytes that have passed to the hub
	dead  atomic.Bool  // nothing passes, and connections stay open
}

type chunk struct {
	data []byte
	to   net.Conn
}

// piece is how much of a connection is in the queue at a time, as packets are.
const piece = 1400

// newLine begins a line whose queue has so many pieces.
func newLine(t testing.TB, rate, pieces int) *line {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &line{rate: rate, ctx: ctx, queue: make(chan chunk, pieces)}
	l.work.Go(l.carry)
	t.Cleanup(func() {
		cancel()
		l.work.Wait()
	})
	return l
}

// carry sends what is in the queue, each piece after the time that it takes.
func (l *line) carry() {
	free := time.Now()
	for {
		select {
		case <-l.ctx.Done():
			return
		case c := <-l.queue:
			if l.rate > 0 {
				if now := time.Now(); free.Before(now) {
					free = now
				}
				free = free.Add(time.Duration(float64(len(c.data)) / float64(l.rate) * float64(time.Second)))
				time.Sleep(time.Until(free))
			}
			l.up.Add(int64(len(c.data)))
			if !l.dead.Load() {
				_, _ = c.to.Write(c.data) // the reader of the connection notices
			}
		}
	}
}

// open returns an address that leads to another through the line.
func (l *line) open(t testing.TB, url string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.work.Go(func() { // ends before the robot does, which would dial again
		<-l.ctx.Done()
		_ = listener.Close()
	})
	l.work.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			l.work.Go(func() { l.join(in, strings.TrimPrefix(url, "nats://")) })
		}
	})
	return "nats://" + listener.Addr().String()
}

func (l *line) join(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	ended := context.AfterFunc(l.ctx, func() { _, _ = in.Close(), out.Close() })
	defer ended()
	var back sync.WaitGroup
	back.Go(func() { l.back(in, out) })
	defer back.Wait()
	defer out.Close()
	for {
		b := make([]byte, piece)
		n, err := in.Read(b)
		if err != nil {
			return
		}
		select {
		case l.queue <- chunk{b[:n], out}:
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *line) back(in, out net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := out.Read(b)
		if err != nil {
			_ = in.Close()
			return
		}
		if !l.dead.Load() {
			if _, err := in.Write(b[:n]); err != nil {
				_ = out.Close()
				return
			}
		}
	}
}
