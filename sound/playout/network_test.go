package playout

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// network is how sound gets from a sender to the mixer and on to the card. Its zero value is perfect.
type network struct {
	sender float64       // how much faster than the true time the clock of the sender is
	card   float64       // the same of the card
	block  time.Duration // that the card asks for at once; default 10 ms
	late   time.Duration // by how much the card's callback may come late

	// path says how long a packet that is sent at that time takes, once for each time that it arrives. Default: no time.
	path func(at time.Duration, random *rand.Rand) []time.Duration
}

// uneven is a path with jitter, evenly spread, and loss.
func uneven(jitter time.Duration, loss float64) func(time.Duration, *rand.Rand) []time.Duration {
	return func(_ time.Duration, random *rand.Rand) []time.Duration {
		if random.Float64() < loss {
			return nil
		}
		return []time.Duration{time.Duration(random.Float64() * float64(jitter))}
	}
}

// simulation is one talker who talks over a network, in a time of its own.
type simulation struct {
	*world
	network
	packets [][]byte // of 20 ms, again and again
	random  *rand.Rand
	start   time.Time
	out     []float32 // of one block
	blocks  int       // that were read
	number  int64     // of the next packet
	coming  []arrival
	frame   *mediav1.AudioFrame
}

type arrival struct {
	at     time.Duration
	number int64
}

func simulate(t testing.TB, config Config, n network, packets [][]byte) *simulation {
	t.Helper()
	n.block = cmp.Or(n.block, 10*time.Millisecond)
	w := newWorld(t, config)
	return &simulation{world: w, network: n, packets: packets, random: rand.New(rand.NewPCG(1, 2)), start: w.now,
		frame: &mediav1.AudioFrame{Epoch: 1, Talker: "a", Format: opusFormat},
		out:   make([]float32, int(n.block.Seconds()*float64(w.config.Rate))*w.config.Channels)}
}

// at is when the next block is read, in true time.
func (s *simulation) at() time.Duration {
	return time.Duration(float64(s.blocks) * s.network.block.Seconds() / (1 + s.card) * float64(time.Second))
}

// run goes on until that time. Each, if not nil, is told when every block was asked for, and what it was.
func (s *simulation) run(until time.Duration, each func(at time.Duration, block []float32)) {
	for at := s.at(); at < until; at = s.at() {
		asked := at + time.Duration(s.random.Float64()*float64(s.late))
		s.send(asked)
		s.now = s.start.Add(asked)
		s.Read(s.out)
		s.blocks++
		if each != nil {
			each(asked, s.out)
		}
	}
}

// send has the mixer receive all that arrives until that time.
func (s *simulation) send(until time.Duration) {
	for {
		sent := time.Duration(float64(s.number) * 0.020 / (1 + s.sender) * float64(time.Second))
		if sent > until {
			break
		}
		takes := []time.Duration{0}
		if s.path != nil && s.number > 0 {
			takes = s.path(sent, s.random)
		}
		for _, d := range takes {
			s.coming = append(s.coming, arrival{sent + d, s.number})
		}
		s.number++
	}
	if s.path != nil {
		slices.SortStableFunc(s.coming, func(a, b arrival) int { return int(a.at - b.at) })
	}
	for len(s.coming) > 0 && s.coming[0].at <= until {
		a := s.coming[0]
		s.coming = s.coming[:copy(s.coming, s.coming[1:])]
		s.now = s.start.Add(a.at)
		s.frame.Sequence, s.frame.SampleIndex, s.frame.Data = a.number, a.number*960, s.packets[a.number%int64(len(
			s.packets))]
		s.Receive(s.frame)
	}
}

// talker returns the talker, or nil while they are absent.
func (s *simulation) talker() *remote {
	if len(s.voices) != 1 {
		return nil
	}
	return s.voices[0].(*remote)
}

// heard is the delay of what is being heard, in true seconds from when it was captured: measured from outside, with
// both clocks. It is false while nothing is heard that was said.
func (s *simulation) heard(at time.Duration) (delay float64, ok bool) {
	r := s.talker()
	if r == nil || r.spinning || r.waiting {
		return 0, false
	}
	captured := float64(r.playing()-r.origin) / 48000 / (1 + s.sender)
	return at.Seconds() - captured, true
}

// result is what a run was like.
type result struct {
	worst   float64 // seconds by which the delay was off its target, at most
	rough   float64
	unheard float64 // share of the time in which nothing was heard that was said
	stretch float64 // at most
}

// watch runs until that time and looks at what is heard from some time on.
func (s *simulation) watch(from, until time.Duration) (r result) {
	s.run(from, nil)
	last, blocks, unheard := [2]float32(s.out[len(s.out)-2:]), 0, 0
	s.run(until, func(at time.Duration, block []float32) {
		r.rough = max(r.rough, roughness(block), roughness(append(last[:], block[:2]...)))
		last = [2]float32(block[len(block)-2:])
		blocks++
		if delay, ok := s.heard(at); ok {
			voice := s.talker()
			r.worst = max(r.worst, math.Abs(delay-voice.drift.target))
			r.stretch = max(r.stretch, math.Abs(voice.stretch))
		} else {
			unheard++
		}
	})
	r.unheard = float64(unheard) / float64(max(blocks, 1))
	return r
}

// log says what a run was like.
func (s *simulation) log(r result) {
	s.t.Helper()
	m := s.metrics
	s.t.Logf("delay off by at most %.1f ms; target %.0f ms now; roughness %.4f; stretched by %.0f ppm at most; %.2f %% "+
		"made up;"+
		" %.0f by FEC, %.0f by PLC, %.0f stalls, %.0f late, %.0f skipped, %.0f duplicates", 1000*r.worst,
		1000*s.the().drift.target, r.rough, 1e6*r.stretch,
		100*r.unheard, testutil.ToFloat64(m.byFEC), testutil.ToFloat64(m.byPLC), testutil.ToFloat64(
			m.stalls), testutil.ToFloat64(m.late),
		testutil.ToFloat64(m.skipped), testutil.ToFloat64(m.duplicate))
}
