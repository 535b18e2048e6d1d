package play

import (
	"context"
	"sync"
	"time"

	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Stream is the stream on which a player says where it is.
const Stream = "player"

// askAgain is how often a player that does not answer is asked where it is.
const askAgain = 200 * time.Millisecond

// Source has the newest clock.
type Source interface {
	// Newest returns the newest clock, false if there is none yet, and what is closed when there is a newer one.
	Newest() (c Clock, known bool, newer <-chan struct{})
}

// Latest is a [Source] whose clock is set. The zero value has none yet.
type Latest struct {
	mu    sync.Mutex
	clock Clock
	known bool
	newer chan struct{}
}

// Newest implements [Source].
func (l *Latest) Newest() (Clock, bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newer == nil {
		l.newer = make(chan struct{})
	}
	return l.clock, l.known, l.newer
}

// Set makes a clock the newest.
func (l *Latest) Set(c Clock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock, l.known = c, true
	if l.newer != nil {
		close(l.newer)
		l.newer = nil
	}
}

// Follower is a [Source] with the clock of a player on the bus.
type Follower struct {
	Latest
	hold   *bus.Hold
	states *bus.Subscription[*playerv1.PlayerState]
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// Follow follows a player, which need not be there yet.
func Follow(conn *bus.Conn, player bus.Address) (*Follower, error) {
	states, err := bus.Subscribe[*playerv1.PlayerState](conn, player.Out(Stream), stream.Latest())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &Follower{hold: conn.Hold(player, Stream, "replay"), states: states, cancel: cancel}
	f.work.Go(func() { f.read(ctx) })
	f.work.Go(func() { f.ask(ctx, playerv1.NewPlayerServiceClient(conn.Client(player))) })
	return f, nil
}

// read takes what the player publishes.
func (f *Follower) read(ctx context.Context) {
	for s, err := range f.states.All(ctx) {
		if err != nil {
			return
		}
		if c, ok := ClockOf(s); ok {
			f.Set(c)
		}
	}
}

// ask asks the player until something is known of it: who comes later does not wait for the next state.
func (f *Follower) ask(ctx context.Context, player playerv1.PlayerServiceClient) {
	for {
		r, err := player.GetPlayer(ctx, &playerv1.GetPlayerRequest{})
		_, known, newer := f.Newest()
		if known {
			return
		}
		if c, ok := ClockOf(r.GetState()); err == nil && ok {
			f.Set(c)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-newer:
			return
		case <-time.After(askAgain):
		}
	}
}

// Close ends the following.
func (f *Follower) Close() {
	f.cancel()
	f.states.Close()
	f.work.Wait()
	f.hold.Close()
}
