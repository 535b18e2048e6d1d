package playout

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestNetworkGetsWorseAndBetter follows a network whose jitter grows and goes away again.
func TestNetworkGetsWorseAndBetter(t *testing.T) {
	t.Parallel()
	good, bad := uneven(3*time.Millisecond, 0), uneven(90*time.Millisecond, 0)
	s := simulate(t, Config{}, network{path: func(at time.Duration, random *rand.Rand) []time.Duration {
		if at > 30*time.Second && at < 60*time.Second {
			return bad(at, random)
		}
		return good(at, random)
	}}, tone(t))
	s.run(30*time.Second, nil)
	if target := s.the().drift.target; target > 0.030 {
		t.Errorf("while it was good: target %.0f ms, want at most 30", 1000*target)
	}
	adapting := s.watch(30*time.Second, 35*time.Second)
	t.Logf("while it became worse: nothing heard for %.2f %% of 5 s", 100*adapting.unheard)
	r := s.watch(35*time.Second, 60*time.Second)
	s.log(r)
	if target := s.the().drift.target; target < 0.080 || r.unheard > 0.005 || adapting.unheard > 0.1 ||
		adapting.unheard == 0 {
		t.Errorf("while it was bad: target %.0f ms, want at least 80; nothing heard for %.2f %% and then %.2f %%",
			1000*target, 100*adapting.unheard, 100*r.unheard)
	}
	stalls := testutil.ToFloat64(s.metrics.stalls)
	s.run(100*time.Second, nil)
	if target := s.the().drift.target; target > 0.030 {
		t.Errorf("40 s after it had become good: target %.0f ms, want at most 30", 1000*target)
	}
	if n := testutil.ToFloat64(s.metrics.stalls) - stalls; n != 0 {
		t.Errorf("%v stalls after it had become good", n)
	}
}

// TestRouteChanges follows a network that is longer by 150 ms for a while.
func TestRouteChanges(t *testing.T) {
	t.Parallel()
	s := simulate(t, Config{}, network{path: func(at time.Duration, _ *rand.Rand) []time.Duration {
		if at > 20*time.Second && at < 40*time.Second {
			return []time.Duration{150 * time.Millisecond}
		}
		return []time.Duration{0}
	}}, tone(t))
	near := func(what string, want float64) {
		t.Helper()
		if got, ok := s.heard(s.now.Sub(s.start)); !ok || math.Abs(got-want) > 0.012 {
			t.Errorf("%s the delay is %.0f ms, want about %.0f", what, 1000*got, 1000*want)
		}
	}
	s.run(20*time.Second, nil)
	near("at first", 0.020)
	up := s.watch(20*time.Second, 30*time.Second)
	near("on the long way", 0.170)
	stalls := testutil.ToFloat64(s.metrics.stalls)
	s.run(40*time.Second, nil)
	near("later on the long way", 0.170)
	down := s.watch(40*time.Second, 48*time.Second)
	near("soon after it was short again", 0.070)
	s.run(75*time.Second, nil)
	near("later", 0.020)
	if up.rough > 0.02 || down.rough > 0.02 { // of the tone alone 0.009
		t.Errorf("roughness %.3f and %.3f: a click", up.rough, down.rough)
	}
	t.Logf("%v stalls, nothing heard for %.0f ms; %v packets left out when it was short again",
		stalls, 10_000*up.unheard, testutil.ToFloat64(s.metrics.skipped))
	if n := testutil.ToFloat64(s.metrics.skipped); n == 0 || stalls > 3 || up.unheard > 0.035 {
		t.Errorf("%v packets skipped, want some; %v stalls, want at most 3; nothing heard for %.0f ms", n, stalls,
			10_000*up.unheard)
	}
}

// TestDuplicatesAndReordering has packets come twice and in the wrong order: nothing is missing, and nothing is played
// twice.
func TestDuplicatesAndReordering(t *testing.T) {
	t.Parallel()
	twice := func(_ time.Duration, random *rand.Rand) []time.Duration {
		return []time.Duration{time.Duration(random.IntN(45)) * time.Millisecond,
			time.Duration(random.IntN(45)) * time.Millisecond}
	}
	packets := tone(t)
	clean := simulate(t, Config{}, network{}, packets).watch(10*time.Second, 30*time.Second)
	s := simulate(t, Config{}, network{path: twice}, packets)
	r := s.watch(10*time.Second, 30*time.Second)
	s.log(r)
	m := s.metrics
	if r.rough > 1.1*clean.rough || r.unheard != 0 || r.worst > 0.020 {
		t.Errorf("roughness %.4f, without %.4f; nothing heard for %.2f %%", r.rough, clean.rough, 100*r.unheard)
	}
	made, late := testutil.ToFloat64(m.byFEC)+testutil.ToFloat64(m.byPLC), testutil.ToFloat64(m.late)
	if made != 0 || late != 0 {
		t.Errorf("%v packets made up, %v late", made, late)
	}
	received, duplicate := testutil.ToFloat64(m.received), testutil.ToFloat64(m.duplicate)
	if math.Abs(duplicate/received-0.5) > 0.01 {
		t.Errorf("%v of %v packets are duplicates, want half of them", duplicate, received)
	}
}

// TestSpeakerStandsStill stops the speaker while somebody talks: what was said meanwhile is not played afterwards.
func TestSpeakerStandsStill(t *testing.T) {
	t.Parallel()
	for _, still := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 10 * time.Second} {
		s := simulate(t, Config{}, network{}, tone(t))
		s.run(20*time.Second, nil)
		s.blocks += int(still / s.network.block)
		s.run(s.at()+100*time.Millisecond, nil)
		delay, ok := s.heard(s.now.Sub(s.start))
		t.Logf("after %v: %.0f ms", still, 1000*delay)
		if !ok || delay > 0.065 {
			t.Errorf("after %v the delay is %.0f ms, %v; want at most 65", still, 1000*delay, ok)
		}
	}
}

// TestLongPacketsKeepTheirDelay cuts out less than a packet.
func TestLongPacketsKeepTheirDelay(t *testing.T) {
	d := drift{}
	d.begin(0.020, 0)
	var cut float64
	for range 60 {
		if _, c := d.step(0.070, 0, 0.020, 0.010); c > 0 {
			cut = c
		}
	}
	if math.Abs(cut-0.050) > 0.001 {
		t.Fatalf("%.0f ms are to be cut out, want 50", 1000*cut)
	}
	w := newWorld(t, Config{})
	w.play(time.Second, &sender{name: "a", epoch: 1, packets: tone(t)})
	r := w.the()
	r.fetch(w.now, 0)
	before, waiting := r.playing(), r.queue.waiting
	r.cutOut = 0.005
	r.cutAway()
	if skipped := r.playing() - before; skipped != 5*millisecond || r.queue.waiting != waiting {
		t.Errorf("%d frames were cut out, want %d", skipped, 5*millisecond)
	}
}

// TestPauseThatIsNotSent keeps the delay through silence that a sender leaves out, in one session or two.
func TestPauseThatIsNotSent(t *testing.T) {
	for _, pause := range []time.Duration{200 * time.Millisecond, 5 * time.Second} {
		w := newWorld(t, Config{})
		s := &sender{name: "a", epoch: 1, packets: tone(t)}
		w.play(2*time.Second, s)
		w.play(pause)
		s.index += int64(pause/time.Millisecond) * millisecond
		heard := w.play(time.Second, s)
		if level := rms(heard[24000:]); math.Abs(level-0.35) > 0.02 {
			t.Errorf("after %v: level %.3f, want 0.354", pause, level)
		}
		r := w.the()
		if delay := w.now.Sub(r.since).Seconds() - seconds(r.playing()-r.origin); delay > 0.085 {
			t.Errorf("after %v: delay %.0f ms", pause, 1000*delay)
		}
	}
}

// TestRestart lets a talker start over, with numbers unrelated to the last session.
func TestRestart(t *testing.T) {
	w := newWorld(t, Config{})
	w.play(time.Second, &sender{name: "a", epoch: 1, packets: tone(t), sequence: 1 << 40, index: 1 << 50})
	s := &sender{name: "a", epoch: 2, packets: tone(t)}
	w.play(200 * time.Millisecond)
	for waited := 0; ; waited += 10 {
		if rms(w.play(10*time.Millisecond, s)) > 0.1 {
			t.Logf("heard after %d ms", waited)
			break
		}
		w.play(10 * time.Millisecond)
		if waited += 10; waited > 100 {
			t.Fatal("the second session is not heard within 100 ms")
		}
	}
}

func TestRestartAfterAPauseInTheSameEpoch(t *testing.T) {
	w := newWorld(t, Config{})
	s := &sender{name: "a", epoch: 1, packets: tone(t)}
	w.play(time.Second, s)
	w.play(2 * time.Second)
	if n := len(w.Talkers()); n != 0 {
		t.Fatalf("%d talkers after a pause", n)
	}
	s.sequence, s.index = 7, 7 // as if it had started over, but kept its epoch
	if level := rms(w.play(time.Second, s)); level < 0.3 {
		t.Errorf("level %.3f", level)
	}
}

// TestNumbersJump lets a sender lose count without a new epoch. They are heard again, at the latest as if they had
// started over.
func TestNumbersJump(t *testing.T) {
	packets := tone(t)
	for _, tt := range []struct {
		sequence, index int64
		within          time.Duration
	}{
		{1000, 0, 300 * time.Millisecond},
		{1 << 40, 960, 300 * time.Millisecond},
		{0, 1 << 40, giveUp + 300*time.Millisecond},
		{5, -48000, giveUp + 300*time.Millisecond},
		{-1000, -960_000, giveUp + 300*time.Millisecond},
	} {
		w := newWorld(t, Config{})
		s := &sender{name: "a", epoch: 1, packets: packets, sequence: 2000, index: 2000 * 960}
		w.play(time.Second, s)
		s.sequence, s.index = s.sequence+tt.sequence, s.index+tt.index
		w.play(tt.within, s)
		if level := rms(w.play(time.Second, s)); math.Abs(level-0.354) > 0.01 {
			t.Errorf("%v after jumps of %d and %d: level %.3f", tt.within, tt.sequence, tt.index, level)
		}
		if n := testutil.ToFloat64(w.metrics.malformed); (n > 0) != (tt.within > giveUp) {
			t.Errorf("after jumps of %d and %d: %v packets malformed", tt.sequence, tt.index, n)
		}
	}
}
