package pipeline

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Steps of the work on pictures, as the metrics name them.
const (
	stepDecode = "decode" // and turn
	stepScale  = "scale"
	stepEncode = "encode"
)

// Work says what is made of the source's pictures at present, and what that has cost.
type Work struct {
	Passed  []string      // media types in which readers get pictures as the source compressed them, sorted
	Encoded []string      // media types that pictures are encoded in, sorted
	CPU     time.Duration // CPU time of decoding, turning, scaling and encoding in this process so far
}

// Work may be called at any time.
func (p *Pipeline) Work() Work {
	w := Work{CPU: time.Duration(p.metrics.spent.Load())}
	p.mu.Lock()
	defer p.mu.Unlock()
	for v := range p.running {
		if p.passes(v.key) {
			w.Passed = append(w.Passed, v.key.mediaType)
		} else {
			w.Encoded = append(w.Encoded, v.key.mediaType)
		}
	}
	for _, list := range []*[]string{&w.Passed, &w.Encoded} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return w
}

// spend does work, and counts its CPU time. Codecs here use one thread, so that of the calling one is all.
func (m *metrics) spend(step, mediaType string, work func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer m.turn()()
	begin := threadTime()
	work()
	spent := threadTime() - begin
	m.spent.Add(int64(spent))
	m.cpu.WithLabelValues(step, mediaType).Add(spent.Seconds())
}

// threadTime is the CPU time of the calling thread.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // fails only for a clock that there is not
	return time.Duration(t.Nano())
}
