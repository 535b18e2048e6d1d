package paths

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

// download is a flow that only losses restrain, as TCP's of 1988 (RFC 5681): it fills every queue.
type download struct {
	to, from *linktest.Line
	mu       sync.Mutex
	window   float64 // packets
	limit    float64 // of slow start
	sent     int
	acked    int
	lostAt   time.Time
	highest  int // that has arrived
	bytes    int
	wake     chan struct{}
}

func newDownload(to, from *linktest.Line) *download {
	return &download{to: to, from: from, window: 10, limit: 1e9, wake: make(chan struct{}, 1)}
}

// run downloads for so long.
func (d *download) run(for_ time.Duration) {
	until := time.After(for_)
	for {
		d.mu.Lock()
		for float64(d.sent-d.acked) < d.window {
			d.sent++
			number := d.sent
			d.to.Send(nil, 1250, func([]byte) { d.from.Send(nil, 64, func([]byte) { d.ack(number) }) })
		}
		d.mu.Unlock()
		timeout := time.NewTimer(time.Second)
		select {
		case <-until:
			timeout.Stop()
			return
		case <-d.wake:
		case <-timeout.C:
			d.mu.Lock()
			d.acked, d.window = d.sent, 10
			d.mu.Unlock()
		}
		timeout.Stop()
	}
}

// ack is called when a packet has arrived. Packets keep their order, so one that is skipped is lost.
func (d *download) ack(number int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bytes += 1250
	lost := number > d.highest+1
	d.highest = max(d.highest, number)
	d.acked = max(d.acked, number)
	switch {
	case lost:
		if time.Since(d.lostAt) > 200*time.Millisecond { // once in a round trip
			d.window = max(d.window/2, 2)
			d.limit, d.lostAt = d.window, time.Now()
		}
	case d.window < d.limit:
		d.window++
	default:
		d.window += 1 / d.window
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// TestTwoViewers: two viewers behind one bottleneck share it, whoever came first.
func TestTwoViewers(t *testing.T) {
	for _, queue := range []int{64 << 10, 256 << 10} {
		for seed := range uint64(3) {
			synctest.Test(t, func(t *testing.T) {
				to, from := link(t, linktest.Shape{Rate: linktest.Constant(3e6), Queue: queue, Delay: 20 * time.Millisecond,
					Jitter: time.Millisecond}, seed)
				a, b := newViewer(to, from, 2.7e6, seed), newViewer(to, from, 2.7e6, seed+10)
				var both sync.WaitGroup
				both.Go(func() { a.run(60 * time.Second) })
				both.Go(func() {
					time.Sleep(10 * time.Second)
					b.run(50 * time.Second)
				})
				both.Wait()
				a.close()
				stats := to.Stats()
				if got := stats.Share(20, 60); got < .8 {
					t.Errorf("%d kB, seed %d: %.2f of the link are used", queue>>10, seed, got)
				}
				ofA, ofB := mean(a.rates[300:]), mean(b.rates[200:])
				if ratio := ofA / ofB; ratio < .5 || ratio > 2 {
					t.Errorf("%d kB, seed %d: one gets %.0f bit/s, the other %.0f", queue>>10, seed, ofA, ofB)
				}
				if got := a.quantile(.95); got > 200*time.Millisecond {
					t.Errorf("%d kB, seed %d: pictures come %v late", queue>>10, seed, got)
				}
			})
		}
	}
}

func mean(all []int64) (mean float64) {
	for _, one := range all {
		mean += float64(one) / float64(len(all))
	}
	return mean
}

// TestDownload: a viewer keeps part of the link while something else downloads through it, and gets all of it back.
func TestDownload(t *testing.T) {
	for _, tt := range []struct {
		queue int
		keeps float64 // bit/s
	}{{24 << 10, 600e3}, {64 << 10, 400e3}, {256 << 10, floorKept}} {
		for seed := range uint64(3) {
			synctest.Test(t, func(t *testing.T) {
				to, from := link(t, linktest.Shape{Rate: linktest.Constant(3e6), Queue: tt.queue, Delay: 20 * time.Millisecond,
					Jitter: time.Millisecond}, seed)
				v, d := newViewer(to, from, 2.7e6, seed), newDownload(to, from)
				var both sync.WaitGroup
				both.Go(func() { v.run(65 * time.Second) })
				both.Go(func() {
					time.Sleep(10 * time.Second)
					d.run(30 * time.Second)
				})
				both.Wait()
				v.close()
				if got := mean(v.rates[150:400]); got < tt.keeps {
					t.Errorf("%d kB, seed %d: the viewer keeps %.0f bit/s", tt.queue>>10, seed, got)
				}
				if got := mean(v.rates[600:]); got < 2e6 {
					t.Errorf("%d kB, seed %d: 20 s after the download the viewer gets %.0f bit/s", tt.queue>>10, seed, got)
				}
			})
		}
	}
}

// floorKept is what is kept beside a download that fills a queue of most of a second: such a picture is late in any
// case.
const floorKept = 80e3
