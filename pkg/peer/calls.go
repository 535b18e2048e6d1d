package peer

import (
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxPending is how many calls may be in flight at once. The gateway has limits of its own, which are lower.
const maxPending = 256

// calls are the calls in flight. It is safe for concurrent use.
type calls struct {
	mu      sync.Mutex
	last    int32
	pending map[int32]*pending
}

// pending is a call that waits for its result.
type pending struct {
	by     any // what it was sent on: it fails when that ends
	result chan *result
	failed chan error
}

func newCalls() *calls { return &calls{pending: make(map[int32]*pending)} }

// begin registers a call, which must be ended.
func (c *calls) begin(by any) (id int32, p *pending, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) >= maxPending {
		return 0, nil, status.Errorf(codes.ResourceExhausted, "%d calls are in flight: wait for one to finish", maxPending)
	}
	for used := true; used; _, used = c.pending[c.last] {
		if c.last++; c.last <= 0 {
			c.last = 1
		}
	}
	p = &pending{by: by, result: make(chan *result, 1), failed: make(chan error, 1)}
	c.pending[c.last] = p
	return c.last, p, nil
}

// end forgets a call: a result that comes later is ignored.
func (c *calls) end(id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

// settle passes on a result that came by the way on which the call was sent. Any other result is ignored: a rendezvous
// server could make one up.
func (c *calls) settle(by any, r *result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.pending[r.ID]; p != nil && p.by == by {
		delete(c.pending, r.ID)
		p.result <- r
	}
}

// lose fails all calls that were sent on something that has ended.
func (c *calls) lose(by any, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, p := range c.pending {
		if p.by == by {
			delete(c.pending, id)
			p.failed <- err
		}
	}
}
