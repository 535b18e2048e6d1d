package peer

import (
	"context"
	"sync"
)

// interest counts who reads what a publisher sends. The zero value is ready to use, from any goroutine.
type interest struct {
	mu      sync.Mutex
	readers int
	changed chan struct{} // closed and replaced when there are readers again, or none any more; nil before anybody waits
}

// begin counts a reader until end is called.
func (i *interest) begin() (end func()) {
	i.add(1)
	return sync.OnceFunc(func() { i.add(-1) })
}

func (i *interest) add(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.readers > 0
	i.readers += n
	if was != (i.readers > 0) && i.changed != nil {
		close(i.changed)
		i.changed = nil
	}
}

// now reports whether there are readers, and returns what is closed when that changes.
func (i *interest) now() (wanted bool, changed <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.changed == nil {
		i.changed = make(chan struct{})
	}
	return i.readers > 0, i.changed
}

// during counts one reader for as long as ctx lives: it is work for [stream.Demand.While].
func (i *interest) during(ctx context.Context) error {
	defer i.begin()()
	<-ctx.Done()
	return nil
}
