package supervise

import "time"

const (
	minDelay = 100 * time.Millisecond
	maxDelay = 5 * time.Second
	// goodLife is how long a process must run for its earlier crashes to be forgiven: a crash loop is one that comes before the
	// work. Somebody who looks at a camera that fails now and then should not have to wait for it.
	goodLife = time.Second
)

// backoff says how long to wait before a process is started again. The zero value is ready to use.
type backoff struct {
	crashes int
}

// next returns the wait after a life that ended in a crash: none the first time, then twice as long each time.
func (b *backoff) next(life time.Duration) time.Duration {
	if life >= goodLife {
		b.crashes = 0
	}
	b.crashes++
	if b.crashes == 1 {
		return 0
	}
	return min(minDelay<<min(b.crashes-2, 16), maxDelay)
}

// after puts a wait into words.
func after(delay time.Duration) string {
	if delay == 0 {
		return " at once"
	}
	return " in " + delay.String()
}
