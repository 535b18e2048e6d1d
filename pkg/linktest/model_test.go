package linktest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// arrival is a packet that has arrived.
type arrival struct {
	n  int // which packet, from 0
	at time.Duration
}

// offer sends packets of 1000 bytes to a shape, one every interval, and returns those that arrive.
func offer(s Shape, seed uint64, n int, every time.Duration) ([]arrival, *model) {
	m := newModel(s, seed)
	var arrivals []arrival
	take := func(until time.Duration) {
		for at := m.next(); at <= until && at != never; at = m.next() {
			for _, p := range m.arrive(at, nil) {
				arrivals = append(arrivals, arrival{int(p.data[0])<<16 | int(p.data[1])<<8 | int(p.data[2]), p.due})
			}
		}
	}
	for i := range n {
		now := time.Duration(i) * every
		take(now)
		m.add(now, packet{data: []byte{byte(i >> 16), byte(i >> 8), byte(i)}, size: 1000})
	}
	take(time.Hour)
	return arrivals, m
}

// at are the times of arrivals in milliseconds.
func at(all []arrival) (times []float64) {
	for _, a := range all {
		times = append(times, math.Round(float64(a.at)/float64(ms)*1000)/1000)
	}
	return times
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shape Shape
		n     int
		every time.Duration
		want  []float64 // ms
	}{
		{"nothing", Shape{}, 3, 10 * ms, []float64{0, 10, 20}},
		{"delay", Shape{Delay: 20 * ms}, 3, 10 * ms, []float64{20, 30, 40}},
		{"rate, with pauses", Shape{Rate: Constant(8e6)}, 3, 10 * ms, []float64{1, 11, 21}},
		{"rate, one behind the other", Shape{Rate: Constant(8e6), Delay: 5 * ms}, 3, 0, []float64{6, 7, 8}},
		{"a burst passes at once", Shape{Rate: Constant(8e6), Burst: 2000}, 4, 0, []float64{0, 0, 1, 2}},
		{"credit comes back", Shape{Rate: Constant(8e6), Burst: 1000}, 3, 500 * time.Microsecond, []float64{0, 1, 2}},
		{"the rate falls", Shape{Rate: []Step{{0, 8e6}, {2 * ms, 800e3}}}, 4, 0, []float64{1, 2, 12, 22}},
		{"it falls within a packet", Shape{Rate: []Step{{0, 800e3}, {5 * ms, 8e6}}}, 2, 0, []float64{5.5, 6.5}},
		{"an outage", Shape{Rate: []Step{{0, 8e6}, {1 * ms, 0}, {100 * ms, 8e6}}}, 3, 0, []float64{1, 101, 102}},
		{"the end", Shape{Rate: []Step{{0, 8e6}, {1 * ms, 0}}}, 3, 0, []float64{1}},
		{"rounds", Shape{Rate: []Step{{0, 8e6}, {1 * ms, 0}}, Every: 10 * ms}, 3, 0, []float64{1, 11, 21}},
		{"what does not fit is dropped", Shape{Rate: Constant(8e6), Queue: 2500}, 5, 0, []float64{1, 2}},
		{"the queue has room again", Shape{Rate: Constant(8e6), Queue: 1000}, 4, ms, []float64{1, 2, 3, 4}},
		{"a policer", Shape{Rate: Constant(8e6), Burst: 2000, Police: true}, 6, 500 * time.Microsecond,
			[]float64{0, 0.5, 1, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.shape.Check(); err != nil {
				t.Fatal(err)
			}
			arrivals, _ := offer(tt.shape, 1, tt.n, tt.every)
			if got := at(arrivals); !slices.Equal(got, tt.want) {
				t.Errorf("arrived at %v ms, want %v", got, tt.want)
			}
		})
	}
}

// TestRandom checks shares over many packets, with three seeds.
func TestRandom(t *testing.T) {
	const n = 20000
	for seed := range uint64(3) {
		for _, tt := range []struct {
			name     string
			shape    Shape
			measure  func([]arrival, *model) float64
			from, to float64
		}{
			{"loss", Shape{Loss: Loss{Share: 0.05}}, func(_ []arrival, m *model) float64 {
				return float64(m.stats.Lost.Packets) / n
			}, 0.045, 0.055},
			{"loss in bursts", Shape{Loss: Loss{Share: 0.05, Burst: 4}}, func(_ []arrival, m *model) float64 {
				return float64(m.stats.Lost.Packets) / n
			}, 0.04, 0.06},
			{"length of bursts", Shape{Loss: Loss{Share: 0.05, Burst: 4}}, func(a []arrival, m *model) float64 {
				gaps := 0
				for i := 1; i < len(a); i++ {
					if a[i].n != a[i-1].n+1 {
						gaps++
					}
				}
				return float64(m.stats.Lost.Packets) / float64(gaps)
			}, 3.5, 4.5},
			{"overtaken", Shape{Reorder: 0.1, Overtaken: 15 * ms}, func(a []arrival, _ *model) float64 {
				behind := 0
				for i := 1; i < len(a); i++ {
					if a[i].n < a[i-1].n {
						behind++
					}
				}
				return float64(behind) / n
			}, 0.08, 0.12},
			{"duplicates", Shape{Duplicate: 0.1}, func(a []arrival, _ *model) float64 {
				return float64(len(a))/n - 1
			}, 0.09, 0.11},
			{"jitter", Shape{Delay: 10 * ms, Jitter: 8 * ms}, func(a []arrival, _ *model) float64 {
				sum := 0.0
				for i, one := range a {
					sum += float64(one.at-time.Duration(i)*10*ms) / float64(ms)
				}
				return sum / n
			}, 13.8, 14.2},
			{"time in stalls", Shape{Stalls: Stalls{Pause: 300 * ms, Min: 50 * ms, Max: 70 * ms}},
				func(a []arrival, _ *model) float64 {
					late := 0
					for _, one := range a {
						if one.at > time.Duration(one.n)*10*ms {
							late++
						}
					}
					return float64(late) / n
				}, 0.14, 0.19},
		} {
			t.Run(fmt.Sprintf("%s, seed %d", tt.name, seed), func(t *testing.T) {
				if got := tt.measure(offer(tt.shape, seed, n, 10*ms)); got < tt.from || got > tt.to {
					t.Errorf("%v, want %v to %v", got, tt.from, tt.to)
				}
			})
		}
	}
}

// TestStalls: nothing arrives during a stall, and then everything at once, in order.
func TestStalls(t *testing.T) {
	s := Shape{Stalls: Stalls{Pause: 300 * ms, Min: 50 * ms, Max: 70 * ms}, Queue: 100e3}
	arrivals, m := offer(s, 7, 5000, ms)
	if m.stats.Overflowed.Packets > 0 || len(arrivals) != 5000 {
		t.Fatalf("%d of 5000 arrived: %+v", len(arrivals), m.stats)
	}
	at, longest := map[time.Duration]int{}, 0
	for i, a := range arrivals {
		if a.n != i {
			t.Fatalf("packet %d came in place %d", a.n, i)
		}
		at[a.at]++
		longest = max(longest, at[a.at])
	}
	if longest < 50 || longest > 71 {
		t.Errorf("%d packets of a millisecond each arrived at once", longest)
	}
	// They occupy the queue meanwhile.
	s.Queue = 20e3
	if _, m := offer(s, 7, 5000, ms); m.stats.Overflowed.Packets == 0 {
		t.Error("a stall filled no queue")
	}
}

// TestSameSeed: what befalls the nth packet depends on the seed alone, not on time, size or rate.
func TestSameSeed(t *testing.T) {
	s := Shape{
		Delay: 5 * ms, Jitter: 5 * ms, Loss: Loss{Share: 0.1, Burst: 2}, Reorder: 0.05, Overtaken: ms, Duplicate: 0.05,
	}
	which := func(s Shape, seed uint64, every time.Duration) (got []int) {
		arrivals, _ := offer(s, seed, 2000, every)
		for _, a := range arrivals {
			got = append(got, a.n)
		}
		slices.Sort(got)
		return got
	}
	first := which(s, 42, 10*ms)
	slower := s
	slower.Rate, slower.Queue = Constant(8e6), 10e6
	if !slices.Equal(first, which(s, 42, ms)) || !slices.Equal(first, which(slower, 42, 3*ms)) {
		t.Error("the same seed lost others")
	}
	if slices.Equal(first, which(s, 43, 10*ms)) {
		t.Error("another seed lost the same")
	}
}

// TestAccounts: in random histories with random shapes, each packet has one fate, and nothing arrives before its time.
func TestAccounts(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := randomShape(r)
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		m, now := newModel(s, seed), time.Duration(0)
		for range 500 {
			now += time.Duration(r.Int64N(int64(5 * ms)))
			switch r.IntN(20) {
			case 0:
				m.drop(now)
			case 1, 2, 3:
				for _, p := range m.arrive(now, nil) {
					if p.due < p.arrived+s.Delay || p.due > now {
						t.Fatalf("seed %d: sent at %v, arrived at %v, now %v", seed, p.arrived, p.due, now)
					}
				}
			default:
				m.add(now, packet{size: 40 + r.IntN(1400)})
			}
			if m.bytes > m.shape.Queue || m.bytes < 0 {
				t.Fatalf("seed %d: %d bytes wait in a queue of %d", seed, m.bytes, m.shape.Queue)
			}
		}
		got := m.stats
		fates := got.Arrived.Packets + got.Overflowed.Packets + got.Policed.Packets + got.Lost.Packets +
			got.Cut.Packets + int64(len(m.waiting)+len(m.air))
		if fates != got.Offered.Packets+int64(got.Duplicated) {
			t.Fatalf("seed %d: %d packets have %d fates: %+v", seed, got.Offered.Packets, fates, got)
		}
		var dropped, lost int64
		for _, one := range got.Seconds {
			dropped, lost = dropped+int64(one.Dropped), lost+int64(one.Lost)
		}
		if dropped != got.Overflowed.Packets+got.Policed.Packets || lost != got.Lost.Packets {
			t.Fatalf("seed %d: by second %d dropped, %d lost: %+v", seed, dropped, lost, got)
		}
	}
}

func randomShape(r *rand.Rand) Shape {
	some := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	s := Shape{
		Queue: 2000 + r.IntN(20000), Burst: 1500 + r.IntN(3000), Delay: some(50 * ms), Jitter: some(20 * ms),
		Loss: Loss{r.Float64() / 5, r.Float64() * 4}, Reorder: r.Float64() / 5, Overtaken: some(30 * ms),
		Duplicate: r.Float64() / 5, Police: r.IntN(4) == 0,
	}
	if r.IntN(2) == 0 {
		s.Stalls = Stalls{Pause: 1 + some(200*ms), Min: some(20 * ms), Max: 20*ms + some(50*ms)}
	}
	for at := time.Duration(0); r.IntN(4) > 0; at += 1 + some(300*ms) {
		s.Rate = append(s.Rate, Step{at, r.Float64() * 5e6})
	}
	if len(s.Rate) > 0 && r.IntN(2) == 0 {
		s.Every = s.Rate[len(s.Rate)-1].At + 1 + some(100*ms)
	}
	return s
}

func TestShares(t *testing.T) {
	s := Shape{Rate: []Step{{0, 8e6}, {time.Second, 4e6}}, Queue: 10e6}
	_, m := offer(s, 1, 1000, 2*ms) // half of the first second's, all of the next one's
	for _, tt := range []struct {
		from, to int
		want     float64
	}{{0, 1, 0.5}, {1, 2, 1}, {0, 2, 2.0 / 3}, {5, 6, 0}} {
		if got := m.stats.Share(tt.from, tt.to); math.Abs(got-tt.want) > 0.01 {
			t.Errorf("seconds %d to %d: share %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, s := range map[string]Shape{
		"a share":              {Loss: Loss{Share: 1}},
		"not a number":         {Duplicate: math.NaN()},
		"before now":           {Delay: -1},
		"a first step later":   {Rate: []Step{{1, 1}}},
		"steps in disorder":    {Rate: []Step{{0, 1}, {2, 1}, {1, 1}}},
		"a negative rate":      {Rate: Constant(-1)},
		"an infinite rate":     {Rate: Constant(math.Inf(1))},
		"a step after Every":   {Rate: []Step{{0, 1}, {2, 1}}, Every: 2},
		"nothing, for ever":    {Rate: Constant(0), Every: 1},
		"stalls without end":   {Stalls: Stalls{Pause: 1}},
		"stalls the other way": {Stalls: Stalls{Pause: 1, Min: 2, Max: 1}},
		"a policer of nothing": {Rate: Constant(1), Police: true},
	} {
		if s.Check() == nil {
			t.Errorf("%s is no mistake", name)
		}
	}
	for _, p := range Profiles() {
		if err := p.FromRobot.Check(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if err := p.ToRobot.Check(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestSteady(t *testing.T) {
	for _, p := range append(Profiles(), Profile{}) {
		steady := p.Steady()
		for _, s := range [][2]Shape{{p.FromRobot, steady.FromRobot}, {p.ToRobot, steady.ToRobot}} {
			first, _ := s[0].rateAt(0)
			later, until := s[1].rateAt(time.Hour)
			if first != later || until != never || s[0].Delay != s[1].Delay {
				t.Errorf("%s: %v bit/s at first, and later %v until %v", p.Name, first, later, until)
			}
		}
	}
}

func TestLateness(t *testing.T) {
	var l Lateness
	for i := range 100 {
		l.add(time.Duration(i) * ms)
	}
	for q, within := range map[float64][2]time.Duration{
		0.5: {49 * ms, 98 * ms}, 0.99: {98 * ms, 99 * ms}, 1: {99 * ms, 99 * ms},
	} {
		if got := l.Quantile(q); got < within[0] || got > within[1] {
			t.Errorf("quantile %v is %v, want %v", q, got, within)
		}
	}
}
