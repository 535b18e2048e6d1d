package service

import (
	"context"
	"sync"

	"github.com/waldo-robot/waldo/pkg/device"
)

// Presence says whether a microphone or a speaker is there. It is safe for concurrent use.
type Presence struct {
	stopping context.Context

	mu    sync.Mutex
	here  context.Context // ends, with the reason as its cause, when the hardware goes; nil while it is away
	leave context.CancelCauseFunc
	away  error // why it is away
}

func newPresence(stopping context.Context) *Presence {
	return &Presence{stopping: stopping, away: device.Away(nil)}
}

// Attach reports that it is there.
func (p *Presence) Attach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.here == nil {
		p.here, p.leave = context.WithCancelCause(p.stopping)
	}
}

// Detach reports that it is gone, and why. Calls that play end.
func (p *Presence) Detach(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if why != nil {
		p.away = device.Away(why)
	}
	if p.leave != nil {
		p.leave(p.away)
	}
	p.here, p.leave = nil, nil
}

// present returns a context that ends when the hardware goes, or fails if it is away.
func (p *Presence) present() (context.Context, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.here == nil {
		return nil, p.away
	}
	return p.here, nil
}
