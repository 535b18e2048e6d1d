package paths

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

// In these tests a path carries the frames of an encoder that follows it over a line to a receiver, whose reports come
// back over another line. Time is that of a synctest bubble.

// viewer is an encoder, a path and a receiver.
type viewer struct {
	path     *Path
	to, from *linktest.Line
	random   *rand.Rand
	began    time.Time
	most     float64 // bit/s that the encoder makes without a limit
	fps      int
	offset   time.Duration // of the receiver's clock

	mu       sync.Mutex
	recorder *twcc.Recorder
	frames   map[uint32]*picture
	shown    []shown
	sent     int // packets
	came     int
	skipped  int
	rates    []int64 // Available, each 100 ms
}

// picture is a frame that is arriving.
type picture struct {
	at      time.Time
	missing int
}

// shown is a frame that has arrived whole.
type shown struct {
	at      time.Duration // since the beginning
	latency time.Duration
	bytes   int
}

const (
	payload  = 1100
	overhead = 64
	feedback = 50 * time.Millisecond
)

func newViewer(to, from *linktest.Line, most float64, seed uint64) *viewer {
	return &viewer{
		path: New(), to: to, from: from, random: rand.New(rand.NewPCG(seed, 1)), began: time.Now(), most: most, fps: 30,
		recorder: twcc.NewRecorder(1), frames: make(map[uint32]*picture), offset: 12345 * time.Second,
	}
}

// run sends frames for so long.
func (v *viewer) run(d time.Duration) {
	var done sync.WaitGroup
	stop := make(chan struct{})
	done.Go(func() { v.report(stop) })
	done.Go(func() { v.watch(stop) })
	until := time.Now().Add(d)
	interval := time.Second / time.Duration(v.fps)
	for frame := uint32(0); time.Now().Before(until); frame++ {
		v.encode(frame)
		time.Sleep(interval)
	}
	close(stop)
	done.Wait()
}

// close ends the lines.
func (v *viewer) close() {
	v.to.Close()
	v.from.Close()
}

// encode makes a frame and sends it, unless the path is full.
func (v *viewer) encode(frame uint32) {
	rate := v.most
	if a := v.path.Available(); a > 0 {
		rate = min(rate, float64(a))
	}
	size := rate / 8 / float64(v.fps) * min(max(1+v.random.NormFloat64()*.2, .5), 2)
	if v.path.Full() {
		v.mu.Lock()
		v.skipped++
		v.mu.Unlock()
		return
	}
	packets := max(1, (int(size)+payload-1)/payload)
	v.mu.Lock()
	v.frames[frame] = &picture{at: time.Now(), missing: packets}
	v.sent += packets
	v.mu.Unlock()
	each := int(size)/packets + overhead
	for range packets {
		data := binary.BigEndian.AppendUint16(nil, v.path.Number(each, time.Now()))
		data = binary.BigEndian.AppendUint32(data, frame)
		v.to.Send(data, each, func(b []byte) { v.receive(b, each) })
	}
}

func (v *viewer) receive(data []byte, bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.came++
	v.recorder.Record(1, binary.BigEndian.Uint16(data), (now.Sub(v.began) + v.offset).Microseconds())
	p := v.frames[binary.BigEndian.Uint32(data[2:])]
	if p.missing--; p.missing == 0 {
		v.shown = append(v.shown, shown{now.Sub(v.began), now.Sub(p.at), bytes})
	}
}

// report sends what has arrived back to the sender.
func (v *viewer) report(stop <-chan struct{}) {
	for range each(feedback, stop) {
		v.mu.Lock()
		packets := v.recorder.BuildFeedbackPacket()
		v.mu.Unlock()
		for _, p := range packets {
			raw, err := p.Marshal()
			if err != nil {
				panic(err)
			}
			v.from.Send(raw, len(raw)+overhead, func(b []byte) {
				if list, err := rtcp.Unmarshal(b); err == nil {
					v.path.RTCP(list, time.Now())
				}
			})
		}
	}
}

func (v *viewer) watch(stop <-chan struct{}) {
	for range each(100*time.Millisecond, stop) {
		a := v.path.Available()
		v.mu.Lock()
		v.rates = append(v.rates, a)
		v.mu.Unlock()
	}
}

// each yields at an interval until stop is closed.
func each(interval time.Duration, stop <-chan struct{}) func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case at := <-ticker.C:
				if !yield(at) {
					return
				}
			}
		}
	}
}

// between returns the frames that were shown in a time.
func (v *viewer) between(from, to time.Duration) (all []shown) {
	for _, s := range v.shown {
		if s.at >= from && s.at < to {
			all = append(all, s)
		}
	}
	return all
}

// median is that of the latency in a time.
func (v *viewer) median(from, to time.Duration) time.Duration {
	return quantile(v.between(from, to), .5)
}

// quantile is that of the latency.
func (v *viewer) quantile(q float64) time.Duration { return quantile(v.shown, q) }

func quantile(of []shown, q float64) time.Duration {
	if len(of) == 0 {
		return time.Hour
	}
	var all []time.Duration
	for _, s := range of {
		all = append(all, s.latency)
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)-1))]
}

// gap is the longest time without a frame in a time.
func (v *viewer) gap(from, to time.Duration) (longest time.Duration) {
	last := from
	for _, s := range v.between(from, to) {
		longest, last = max(longest, s.at-last), s.at
	}
	return max(longest, to-last)
}

// table describes a run second by second.
func (v *viewer) table() string {
	var b strings.Builder
	for s := time.Duration(0); s < time.Duration(len(v.rates)/10)*time.Second; s += time.Second {
		fmt.Fprintf(&b, "%2.0f s: available %5d %5d kbit/s, %2d frames, median %v, gap %v\n", s.Seconds(),
			v.rates[int(s/time.Second)*10]/1000, v.rates[int(s/time.Second)*10+5]/1000, len(v.between(s, s+time.Second)),
			v.median(s, s+time.Second).Round(time.Millisecond), v.gap(s, s+time.Second).Round(time.Millisecond))
	}
	return b.String()
}
