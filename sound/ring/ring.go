// Package ring carries sound from a thread of the system that must not wait to a goroutine.
//
// One side puts, the other takes; they may run at the same time. When nobody takes, what is new is lost and counted.
package ring

import (
	"context"
	"sync/atomic"
	"time"
)

// Ring holds blocks of sound. Make it with [New].
type Ring struct {
	free, full chan *block
	lost       atomic.Uint64
}

type block struct {
	samples []float32
	at      time.Time
}

// New makes a ring of so many blocks, for blocks of so many samples; longer ones cost memory when they first come.
func New(blocks, samples int) *Ring {
	r := &Ring{free: make(chan *block, blocks), full: make(chan *block, blocks)}
	for range blocks {
		r.free <- &block{samples: make([]float32, 0, samples)}
	}
	return r
}

// Put copies samples, and never waits.
func (r *Ring) Put(samples []float32, at time.Time) {
	select {
	case b := <-r.free:
		b.samples, b.at = append(b.samples[:0], samples...), at
		r.full <- b // has room: there are no more blocks than it holds
	default:
		r.lost.Add(1)
	}
}

// Take gives the next block to take, which must not keep it. It waits until there is one, ctx has ended or poll fires,
// and reports whether there was one. Once ctx has ended it takes none.
func (r *Ring) Take(ctx context.Context, poll <-chan time.Time, take func(samples []float32, at time.Time)) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case b := <-r.full:
		take(b.samples, b.at)
		r.free <- b
		return true
	case <-ctx.Done():
	case <-poll:
	}
	return false
}

// Clear forgets what was put. Nobody may take meanwhile.
func (r *Ring) Clear() {
	for {
		select {
		case b := <-r.full:
			r.free <- b
		default:
			return
		}
	}
}

// Lost is how many blocks found no room.
func (r *Ring) Lost() uint64 { return r.lost.Load() }
