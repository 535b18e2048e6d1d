package supervise

import "time"

const (
	minDelay = 100 * time.Millisecond
	// maxDelay keeps what a crash loop costs small: a start takes about 100 ms of a processor. A unit of systemd that is
	// to stop waits for the end of its pause.
	maxDelay = minDelay << 5
	// goodLife is how long a process must run for its earlier crashes to be forgiven. A process in a
	// crash loop fails before it does any work; somebody watching a camera that fails now and then
	// should not have to wait for it.
	goodLife = time.Second
)

// Pause is how long to wait before a process is started that has crashed so many times, each time soon after its start:
// none the first time, then 100 ms, and twice as long each time, up to 3.2 s. The units of systemd follow the same rule
// (deploy/systemd/pause).
func Pause(crashes int) time.Duration {
	if crashes <= 1 {
		return 0
	}
	return min(minDelay<<min(crashes-2, 16), maxDelay)
}

// backoff computes how long to wait before a process is started again. The zero value is ready to use.
type backoff struct {
	crashes int
}

// next returns the wait after a run that ended in a crash.
func (b *backoff) next(life time.Duration) time.Duration {
	if life >= goodLife {
		b.crashes = 0
	}
	b.crashes++
	return Pause(b.crashes)
}

// after puts a wait into words.
func after(delay time.Duration) string {
	if delay == 0 {
		return " at once"
	}
	return " in " + delay.String()
}
