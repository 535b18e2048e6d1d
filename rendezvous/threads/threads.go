// Package threads has a process that forwards packets use no more threads than its load needs.
//
// When packets arrive on two sockets, the Go scheduler wakes a thread for each, and threads that have nothing to do
// look for work before they sleep. At 5000 packets/s on two cores that is two fifths of the CPU time of a relay
// (measured with Go 1.26). With one thread for goroutines it is nothing.
package threads

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// period is how often the load is measured.
const period = 200 * time.Millisecond

// Adapt begins with one thread for goroutines, doubles their number whenever they are busy for half of the time, and
// halves it when fewer would do for a while. Stop restores what was before, and returns when nothing changes any more.
// Adapt does nothing if the environment variable GOMAXPROCS says how many there are. It is for main: the number is one
// of the process.
func Adapt() (stop func()) {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	most := runtime.GOMAXPROCS(1)
	done := make(chan struct{})
	var goroutine sync.WaitGroup
	goroutine.Go(func() {
		defer runtime.GOMAXPROCS(most)
		adapt(done, most)
	})
	return sync.OnceFunc(func() {
		close(done)
		goroutine.Wait()
	})
}

func adapt(done <-chan struct{}, most int) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	number := load{threads: 1, most: most}
	at, used := time.Now(), cpuTime()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		now, total := time.Now(), cpuTime()
		if before := number.threads; number.next(float64(total-used)/float64(now.Sub(at))) != before {
			runtime.GOMAXPROCS(number.threads)
		}
		at, used = now, total
	}
}

// load decides how many threads there are.
type load struct {
	threads, most int
	idle          int // periods for which fewer would have done
}

// next returns how many threads there are from now on, when so many cores were busy.
func (l *load) next(busy float64) int {
	const patience = 25 // periods, 5 s
	threads := float64(l.threads)
	switch {
	case busy > threads/2:
		l.threads, l.idle = min(2*l.threads, l.most), 0
	case busy > threads/8 || l.threads == 1:
		l.idle = 0
	default:
		if l.idle++; l.idle >= patience {
			l.threads, l.idle = l.threads/2, 0
		}
	}
	return l.threads
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
