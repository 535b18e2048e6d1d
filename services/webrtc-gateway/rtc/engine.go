package rtc

import (
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/steer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Engine makes the peers of one robot. It is safe for concurrent use.
type Engine struct {
	*Transport

	hub      *tracks.Hub
	voices   *talk.Voices    // nil: no audio is accepted
	steering *steer.Steering // nil: nothing is steered
	alone    bool            // nobody else uses the transport

	mu     sync.Mutex
	closed bool
	peers  map[*Peer]struct{}
	ends   sync.WaitGroup // of peers that end on their own
}

// NewEngine returns an engine with a transport of its own, see [NewTransport].
func NewEngine(hub *tracks.Hub, c Config) (*Engine, error) {
	t, err := NewTransport(c)
	if err != nil {
		return nil, err
	}
	e := t.NewEngine(hub, c.Voices, c.Steering)
	e.alone = true
	return e, nil
}

// NewEngine returns an engine that shares the transport. Voices receives what peers say, and steering steers what they
// get; both may be nil, see [Config].
func (t *Transport) NewEngine(hub *tracks.Hub, voices *talk.Voices, steering *steer.Steering) *Engine {
	return &Engine{Transport: t, hub: hub, voices: voices, steering: steering, peers: make(map[*Peer]struct{})}
}

// add registers a new peer, or refuses it.
func (e *Engine) add(p *Peer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return status.Error(codes.Unavailable, "the gateway is stopping")
	}
	if err := e.enter(); err != nil {
		return err
	}
	e.peers[p] = struct{}{}
	return nil
}

func (e *Engine) remove(p *Peer) {
	e.mu.Lock()
	delete(e.peers, p)
	e.mu.Unlock()
	e.leave()
}

// Busy reports whether there are peers.
func (e *Engine) Busy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.peers) > 0
}

// end ends a peer without waiting for it. Once the engine is closed there is nothing to do: Close ends all peers.
func (e *Engine) end(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.ends.Go(p.Close)
	}
}

// Close ends all peers, and the transport if nobody else uses it.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	peers := make([]*Peer, 0, len(e.peers))
	for p := range e.peers {
		peers = append(peers, p)
	}
	e.mu.Unlock()
	var ended sync.WaitGroup
	for _, p := range peers {
		ended.Go(p.Close)
	}
	ended.Wait()
	e.ends.Wait()
	if e.alone {
		return e.Transport.Close()
	}
	return nil
}
