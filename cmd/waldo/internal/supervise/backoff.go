package supervise

import "time"

const (
	minDelay = 100 * time.Millisecond
	maxDelay = 5 * time.Second
	// goodLife is how long a process must run for its earlier crashes to be forgiven. A process in a
	// crash loop fails before it does any work; somebody watching a camera that fails now and then
	// should not have to wait for it.
	goodLife = time.Second
)

// backoff computes how long to wait before a process is started again. The zero value is ready to use.
type backoff struct {
	crashes int
}

// next returns the wait after a run that ended in a crash: zero the first time, then twice as long each time.
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
