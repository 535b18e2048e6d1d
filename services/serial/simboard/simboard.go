// Package simboard is the rover's board without the rover: the bytes written to a [Board] and read from
// it are exactly those on the serial port of a real board. It drives a simulated rover through the room
// of package simworld.
//
// # The protocol
//
// All numbers are little-endian, and a CRC-8 (polynomial 0x07) over the payload ends every frame.
//
//	command    0xA5 | int16 left, right | crc                             6 bytes
//	telemetry  0x5A | uint32 uptime, int16 left, right, int32 x, y,
//	                  int16 heading, uint16 battery, uint8 flags | crc    23 bytes, every 20 ms
//
// A command sets the PWM duty of each side, -255 to 255. When no valid command has come for 250 ms the
// board's watchdog stops the motors. A frame with a wrong CRC is ignored, and the next one is searched
// for within its bytes; bytes of an incomplete frame are discarded after 50 ms.
//
// # What differs from hardware
//
// The odometry has no errors: x, y and heading are where the rover really is, even after it ran into a
// wall. The bumper flag reports that it touches something. The battery is never so empty that the rover
// stops, and recovers while it stands still.
//
// # Concurrency and shutdown
//
// Read, Write and Close may be called from any goroutine. A board runs one goroutine, which Close ends
// and waits for.
package simboard

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

const (
	period   = 20 * time.Millisecond  // from one telemetry frame to the next
	watchdog = 250 * time.Millisecond // after the last valid command, the motors stop
	// maxUnread is how much telemetry waits for a reader, in bytes: not quite two seconds.
	maxUnread = 89 * telemetrySize
)

// Config describes a board. The zero value is a board that is switched on at the start of the room.
type Config struct {
	// Start is where the rover stands; it must be free. The zero value is the room's start, which the
	// simulated camera assumes.
	Start simworld.Pose
	// While runs its function only while somebody reads the telemetry, as [stream.Demand.While] does.
	// The board then sends one frame when it is switched on, and the others only for readers. Nil: it
	// sends all the time.
	While func(context.Context, func(context.Context) error) error
}

// Board is a simulated board. It is an [io.ReadWriteCloser].
type Board struct {
	world *simworld.World
	start simworld.Pose
	born  time.Time
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	runs  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // there is more to read, or the board was closed
	closed  bool
	unread  []byte
	parser  parser
	rover   rover
}

// Open switches a board on.
func Open(config Config) (*Board, error) {
	world := simworld.New()
	if config.Start == (simworld.Pose{}) {
		config.Start = world.Start()
	}
	if !world.Free(config.Start) {
		return nil, fmt.Errorf("simulated board: start: there is no room for the rover at %.2f, %.2f; use %+v",
			config.Start.X, config.Start.Y, world.Start())
	}
	now := time.Now()
	b := &Board{
		world: world, start: config.Start, born: now,
		rover: rover{world: world, pose: config.Start, at: now, stopped: true, battery: charged()},
	}
	b.changed = sync.NewCond(&b.mu)
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.runs.Go(func() { b.run(config.While) })
	return b, nil
}

// run sends telemetry until the board is closed.
func (b *Board) run(while func(context.Context, func(context.Context) error) error) {
	if while == nil {
		_ = b.report(b.ctx) // ends with ctx
		return
	}
	select {
	case <-time.After(period):
		b.send()
	case <-b.ctx.Done():
		return
	}
	_ = while(b.ctx, b.report) // ends with ctx
}

// report sends telemetry until ctx ends. The rover needs no ticks: it is simulated up to now whenever
// something is done or told.
func (b *Board) report(ctx context.Context) error {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			b.send()
		}
	}
}

// send queues one telemetry frame. If nobody reads, the oldest bytes are lost, as in any port without
// flow control.
func (b *Board) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.rover.advance(now)
	b.unread = b.rover.telemetry(now.Sub(b.born), b.start).append(b.unread)
	if excess := len(b.unread) - maxUnread; excess > 0 {
		b.unread = b.unread[:copy(b.unread, b.unread[excess:])]
	}
	b.changed.Broadcast()
}

// Read waits until the board has sent something and returns what is available. After Close it fails with
// an error that wraps [os.ErrClosed].
func (b *Board) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.unread) == 0 && !b.closed && len(p) > 0 {
		b.changed.Wait()
	}
	if b.closed {
		return 0, fmt.Errorf("read from the simulated board: %w", os.ErrClosed)
	}
	n := copy(p, b.unread)
	b.unread = b.unread[:copy(b.unread, b.unread[n:])]
	return n, nil
}

// Write hands bytes to the board, which acts on every command that they complete. It never waits. After
// Close it fails with an error that wraps [os.ErrClosed].
func (b *Board) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, fmt.Errorf("write to the simulated board: %w", os.ErrClosed)
	}
	now := time.Now()
	b.rover.advance(now)
	for _, c := range p {
		if command, ok := b.parser.feed(c, now); ok {
			b.rover.obey(command, now)
		}
	}
	return len(p), nil
}

// Close switches the board off and ends a Read that waits. It may be called more than once.
func (b *Board) Close() error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		b.stop()
		b.changed.Broadcast()
	}
	b.mu.Unlock()
	b.runs.Wait()
	return nil
}
