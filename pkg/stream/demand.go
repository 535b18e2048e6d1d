package stream

import (
	"context"
	"sync"
)

// Demand counts the users of work that is done only while somebody wants it. It is safe for concurrent
// use. Nobody wants its zero value yet.
type Demand struct {
	mu     sync.Mutex
	users  int
	period *period // of demand: the one under way or, while there are no users, the next
}

// period is a stretch of time in which somebody wants the work.
type period struct {
	begun chan struct{} // closed when it begins
	ctx   context.Context
	end   context.CancelFunc
}

// Want counts one more user, until release is called. Only the first call of release counts.
func (d *Demand) Want() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users++; d.users == 1 {
		close(d.current().begun)
	}
	return sync.OnceFunc(d.leave)
}

func (d *Demand) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users--; d.users == 0 {
		d.period.end()
		d.period = nil
	}
}

// current needs mu.
func (d *Demand) current() *period {
	if d.period == nil {
		d.period = &period{begun: make(chan struct{})}
		d.period.ctx, d.period.end = context.WithCancel(context.Background())
	}
	return d.period
}

// Wanted reports whether there is a user.
func (d *Demand) Wanted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.users > 0
}

// Now reports whether there is a user, and returns what is closed when that changes.
func (d *Demand) Now() (wanted bool, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.current()
	if d.users > 0 {
		return true, p.ctx.Done()
	}
	return false, p.begun
}

// During counts one user for as long as ctx lives: it is work for another Demand's While.
func (d *Demand) During(ctx context.Context) error {
	defer d.Want()()
	<-ctx.Done()
	return nil
}

// While runs work whenever there is a user, and cancels its context when the last one has gone. It waits
// for work to return before it runs it again. It returns when ctx ends, with the error of ctx, or when
// work ends by itself, with the error of work.
func (d *Demand) While(ctx context.Context, work func(context.Context) error) error {
	for {
		d.mu.Lock()
		p := d.current()
		d.mu.Unlock()
		select {
		case <-p.begun:
		case <-ctx.Done():
			return ctx.Err()
		}
		if ended, err := p.run(ctx, work); !ended {
			return err
		}
	}
}

// run reports whether work ended because the period did.
func (p *period) run(ctx context.Context, work func(context.Context) error) (ended bool, err error) {
	wanted, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	if wanted.Err() == nil {
		err = work(wanted)
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return p.ctx.Err() != nil, err
}
