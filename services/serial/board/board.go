package board

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/serial/codec"
	"github.com/waldo-robot/waldo/services/serial/frame"
	"github.com/waldo-robot/waldo/services/serial/port"
)

const (
	// Queue is how many messages may wait for a slow subscriber.
	Queue = 256
	// readSize is how much is read at once: as much as the system buffers for a line.
	readSize = 4096
	// WriteSize is how many bytes are written at once, at most.
	WriteSize = 4096
	// lastWord is how long the last stop may take to be written when the board is released.
	lastWord = 500 * time.Millisecond
)

// Config determines how messages are read and written. Everything but Safe, Ramp, WriteDelay, Hint,
// AwaitStart, Turn, Log and Metrics is required.
type Config struct {
	Epoch    int64
	Reader   codec.Reader
	Splitter func(frame.Discarded) (frame.Splitter, error)
	Writer   codec.Writer
	// Frame adds a payload's framing on the line.
	Frame func(dst, payload []byte) []byte
	// Safe is the payload that means standing still; nil for a board that moves nothing.
	Safe []byte
	// Ramp is how long it takes to go from the last command to standing still, except for an e-stop; 0:
	// no ramp.
	Ramp time.Duration
	// WriteDelay is how long after opening the board becomes ready to be written to.
	WriteDelay time.Duration
	// Hint tells what to check when the board's bytes contain no message.
	Hint string
	// AwaitStart makes the board ready only once it has sent a message or the beginning of one.
	AwaitStart bool
	// Turn is called when bytes that were read are worked on, and when at most 4096 bytes are written to the port. The
	// function that it returns is called when that is done. Nil: nobody wants to know.
	Turn    func() (end func())
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Board is described in the package comment.
type Board struct {
	config   Config
	log      *slog.Logger
	metrics  *metrics
	topic    *stream.Topic[*serialv1.SerialMessage]
	sequence int64 // of the next message; owned by the goroutine that reads

	unread   unread    // the board's bytes since its last message
	refused  refusals  // messages that could not be read; owned by the goroutine that reads
	commands *commands // nil for a board that moves nothing
	writes   chan write

	mu    sync.Mutex
	ready bool // may be written to
}

// New returns a board without a port.
func New(c Config) *Board {
	b := &Board{
		config: c, log: c.Log, metrics: newMetrics(c.Metrics), topic: stream.NewTopic[*serialv1.SerialMessage](),
		writes: make(chan write, waitingWrites),
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.config.Turn == nil {
		b.config.Turn = func() func() { return func() {} }
	}
	if c.Safe != nil {
		b.commands = newCommands(c.Writer, c.Safe, c.Ramp, b.metrics)
	}
	return b
}

// WhileRead runs work whenever there is a subscriber: see [stream.Topic.WhileRead]. It is for simulated
// boards, which rest meanwhile.
func (b *Board) WhileRead(ctx context.Context, work func(context.Context) error) error {
	return b.topic.WhileRead(ctx, work)
}

// Reader reads the board's messages. Close it once.
type Reader struct {
	*stream.Subscription[*serialv1.SerialMessage]
	lost prometheus.Counter
}

// Close ends the reader, and counts what it has lost.
func (r *Reader) Close() {
	r.Subscription.Close()
	r.lost.Add(float64(r.Lost()))
}

// Subscribe adds a reader of the board's messages, from now on.
func (b *Board) Subscribe() *Reader {
	return &Reader{b.topic.Subscribe(stream.DropOldest(Queue).Within(inflight.MaxWait)), b.metrics.slow}
}

// Close ends all readers. Run must have ended before.
func (b *Board) Close() { b.topic.Close(nil) }

// Hooks are called by Run. Each may be nil.
type Hooks struct {
	// Attached is called once the board may be written to.
	Attached func()
	// Detaching is called before the port is closed: a stop sent now is still written, if the port is there.
	Detaching func()
}

// Run serves a port until ctx ends or the board goes away, and returns the reason. It closes the port.
func (b *Board) Run(ctx context.Context, p port.Port, hooks Hooks) error {
	started := make(chan struct{})
	reading, writing := make(chan error, 1), make(chan error, 1)
	finish := make(chan struct{})
	var owned sync.WaitGroup
	defer owned.Wait()
	defer func() { _ = p.Close() }() // everything has been written; a failure adds nothing
	ended := make(chan struct{})
	owned.Go(func() { defer close(ended); reading <- b.read(p, started) })
	owned.Go(func() { b.unread.watch(ended, b.log, b.config.Hint) })
	if err := b.awaitReady(ctx, started, reading); err != nil {
		return err
	}
	owned.Go(func() { writing <- b.write(p, finish) })
	b.setReady(true)
	call(hooks.Attached)
	var err error
	select {
	case err = <-reading:
	case err = <-writing:
	case <-ctx.Done():
		err = ctx.Err()
	}
	b.setReady(false)
	call(hooks.Detaching)
	close(finish)
	if ctx.Err() != nil {
		select {
		case last := <-writing:
			if last != nil {
				b.log.Warn("the board was released without a last stop", "error", last)
			}
		case <-time.After(lastWord):
			b.log.Warn("the board accepts no data: it is released without a last stop")
		}
	}
	return err
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// awaitReady returns nil when the board may be written to.
func (b *Board) awaitReady(ctx context.Context, started <-chan struct{}, reading <-chan error) error {
	if !b.config.AwaitStart {
		started = nil
	}
	delay := time.NewTimer(b.config.WriteDelay)
	defer delay.Stop()
	for elapsed := delay.C; elapsed != nil || started != nil; {
		select {
		case <-elapsed:
			elapsed = nil
		case <-started:
			started = nil
		case err := <-reading:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (b *Board) setReady(ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = ready
}

// read turns the board's bytes into messages until it goes away. It closes started at the first.
func (b *Board) read(p port.Port, started chan<- struct{}) error {
	splitter, err := b.config.Splitter(b.metrics.discard)
	if err != nil {
		return err
	}
	defer splitter.Reset() // counts the unfinished bytes
	b.refused = refusals{}
	b.unread.reset()
	begin := sync.OnceFunc(func() { close(started) })
	buffer := make([]byte, readSize)
	for {
		n, err := p.Read(buffer)
		if err != nil {
			return err
		}
		now := time.Now()
		b.metrics.readBytes.Add(float64(n))
		b.unread.add(buffer[:n], now)
		end := b.config.Turn()
		splitter.Feed(buffer[:n], now, func(data []byte) {
			begin()
			b.unread.message()
			b.publish(data, now)
		})
		end()
	}
}

// publish sends one message to all readers.
func (b *Board) publish(data []byte, at time.Time) {
	m := &serialv1.SerialMessage{Epoch: b.config.Epoch, ReadTime: timestamppb.New(at)}
	if err := b.config.Reader.Read(data, m); err != nil {
		b.metrics.unread.Inc()
		b.refused.log(b.log, err)
		return
	}
	m.Sequence = b.sequence
	b.sequence++
	b.metrics.messages.Inc()
	b.topic.Publish(m)
}

// write writes pending messages until finish is closed or the board goes away.
func (b *Board) write(p port.Port, finish <-chan struct{}) error {
	line := &line{port: p, frame: b.config.Frame, turn: b.config.Turn, metrics: b.metrics}
	var err error
	if b.commands != nil {
		err = b.commands.run(line, finish)
	} else {
		err = b.runWrites(line, finish)
	}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// line writes payloads to a port.
type line struct {
	port    port.Port
	frame   func(dst, payload []byte) []byte
	turn    func() (end func())
	metrics *metrics
	buffer  []byte
}

func (l *line) write(payload []byte) error {
	l.buffer = l.frame(l.buffer[:0], payload)
	for part := range slices.Chunk(l.buffer, WriteSize) {
		if err := l.writePart(part); err != nil {
			return err
		}
	}
	l.metrics.written.Inc()
	return nil
}

// writePart is a turn of the loop that writes: a port that takes no end hangs.
func (l *line) writePart(part []byte) error {
	defer l.turn()()
	_, err := l.port.Write(part)
	return err
}

// send writes a payload and waits until it has left the machine.
func (l *line) send(payload []byte) error {
	if err := l.write(payload); err != nil {
		return err
	}
	if d, ok := l.port.(port.Drainer); ok {
		defer l.turn()()
		return d.Drain()
	}
	return nil
}

// ErrFull means that too many messages wait for a slow board.
var ErrFull = errors.New("too many messages wait for the board: it is slower than they arrive")
