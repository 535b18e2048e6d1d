package congestion

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The rate is the lower quarter of the trains of a span, of the last trainCount.
func TestTrainsOfASpan(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all trains
	var kept []train
	now := start
	for i := range 5 * trainCount {
		now = now.Add(time.Duration(random.IntN(200)) * ms)
		one := train{now, float64(1+random.IntN(20)) * 1e6} // several are equal
		all.keep(one)
		kept = append(kept, one)
		kept = kept[max(0, len(kept)-trainCount):]
		for _, span := range []time.Duration{trainSpan, trainsLast} {
			var rates []float64
			for _, k := range kept {
				if now.Sub(k.at) < span {
					rates = append(rates, k.bps)
				}
			}
			want := 0.0
			if len(rates) >= trainsFew {
				slices.Sort(rates)
				want = rates[len(rates)/4]
			}
			if got := all.rate(now, span); got != want {
				t.Fatalf("after %d trains, over %v: %.0f bit/s, want %.0f", i+1, span, got, want)
			}
		}
	}
}

func BenchmarkReport(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	c, now, clock := New(), start, time.Duration(0)
	var packets []Packet
	for b.Loop() {
		packets = packets[:0]
		for picture := range 3 {
			departs := clock + time.Duration(picture)*33*ms
			gap := time.Duration(100+random.IntN(200)) * time.Microsecond
			for i := range 8 {
				arrives := departs + 5*ms + time.Duration(i)*gap
				packets = append(packets, Packet{Departed: departs, Arrived: arrives, Bytes: 1200})
				c.Sent(1200, int64(1200*i), now, departs)
			}
			c.Burst()
		}
		now, clock = now.Add(100*ms), clock+100*ms
		c.Report(Report{Arrived: packets}, now, clock)
	}
}
