package playout

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"gopkg.in/hraban/opus.v2"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// loud returns packets of a sine at full scale.
func loud(t testing.TB) [][]byte {
	return encode(t, sine(500, 1, 48000*3), opus.AppAudio, 64000, false)[100:]
}

// TestTenTalkersAtOnce adds up ten at full scale: it is loud, and never beyond full scale.
func TestTenTalkersAtOnce(t *testing.T) {
	t.Parallel()
	packets := loud(t)
	for _, channels := range []int{1, 2} {
		w := newWorld(t, Config{Channels: channels})
		var senders []*sender
		for i := range 10 {
			senders = append(senders, &sender{name: fmt.Sprint(i), epoch: 1, packets: packets})
		}
		heard := w.play(3*time.Second, senders...) // fails if a sample is out of range
		heard = heard[len(heard)/2:]
		if level := rms(heard); level < 0.5 {
			t.Errorf("level %.2f, want a loud one", level)
		}
		if r := roughness(every(heard, channels)); r > 0.1 {
			t.Errorf("roughness %.3f: it wraps or clicks", r)
		}
		if n := len(w.Talkers()); n != 10 {
			t.Errorf("%d talkers", n)
		}
	}
}

// every returns the first channel.
func every(samples []float32, channels int) (first []float32) {
	for i := 0; i < len(samples); i += channels {
		first = append(first, samples[i])
	}
	return first
}

func TestLimiter(t *testing.T) {
	l := newLimiter(48000)
	quiet := sine(1000, 0.89, 4800)
	if got := slices.Clone(quiet); true {
		l.apply(got, 1)
		if !slices.Equal(got, quiet) {
			t.Error("it changes what fits")
		}
	}
	random := rand.New(rand.NewPCG(7, 8))
	for _, top := range []float64{1, 2, 16, 1e6, math.MaxFloat32} {
		samples := make([]float32, 48000)
		for i := range samples {
			samples[i] = float32((random.Float64()*2 - 1) * top)
		}
		want := slices.Clone(samples)
		l.apply(samples, 2)
		for i, s := range samples {
			if !(s >= -1 && s <= 1) || s != 0 && (s < 0) != (want[i] < 0) {
				t.Fatalf("%v became %v", want[i], s)
			}
		}
	}
	after := append(make([]float32, 96000), quiet...)
	l.apply(after, 1)
	if got := after[96000:]; rms(got) < 0.99*rms(quiet) {
		t.Errorf("2 s later the level is %.3f, want %.3f", rms(got), rms(quiet))
	}
}

// TestOneTalkerIsNotChanged compares what is heard with what the decoder makes, which the limiter leaves as it is.
func TestOneTalkerIsNotChanged(t *testing.T) {
	heard := newWorld(t, Config{}).play(3*time.Second, &sender{name: "a", epoch: 1, packets: tone(t)})
	if level := rms(heard[48000:]) * math.Sqrt2; math.Abs(level-0.5) > 0.005 {
		t.Errorf("amplitude %.4f, want 0.5", level)
	}
}

func TestTwoTalkersAreAddedUp(t *testing.T) {
	packets := func(hz float64) [][]byte { return encode(t, sine(hz, 0.3, 48000*3), opus.AppAudio, 64000, false)[100:] }
	heard := newWorld(t, Config{}).play(3*time.Second, &sender{name: "a", epoch: 1, packets: packets(500)},
		&sender{name: "b", epoch: 1, packets: packets(1000)})
	if level := rms(heard[48000:]); math.Abs(level-0.3) > 0.005 {
		t.Errorf("level %.3f, want 0.3", level)
	}
}

func TestTooManyTalkers(t *testing.T) {
	w := newWorld(t, Config{MaxTalkers: 2})
	packets := tone(t)
	var all []*sender
	for i := range 4 {
		all = append(all, &sender{name: fmt.Sprint(i), epoch: 1, packets: packets})
	}
	w.play(time.Second, all...)
	if names := w.names(); !slices.Equal(names, []string{"0", "1"}) {
		t.Errorf("%v talk, want the first two", names)
	}
	if _, err := w.Open("program", nil); !errors.Is(err, ErrTooMany) {
		t.Errorf("a program: %v", err)
	}
	refused, dropped := testutil.ToFloat64(w.metrics.refusedTooMany), testutil.ToFloat64(w.metrics.tooMany)
	if refused != 3 || dropped != 100 {
		t.Errorf("%v refused, %v packets dropped; want 3 and 100", refused, dropped)
	}
	w.play(time.Second, all[1:]...) // the first one falls silent
	if names := w.names(); !slices.Equal(names, []string{"1", "2"}) {
		t.Errorf("%v talk, want one to have moved up", names)
	}
	for i := range 10_000 { // nobody can make it remember more and more
		w.Receive((&sender{name: "x", epoch: int64(i + 1), packets: packets}).frame())
	}
	if n := len(w.refused); n > mostRefused {
		t.Errorf("%d refused talkers are remembered", n)
	}
}

func (w *world) names() (names []string) {
	for _, t := range w.Talkers() {
		names = append(names, t.GetName())
	}
	return names
}

// TestTalkerThatNeverStops is cut off, and may talk again after a pause.
func TestTalkerThatNeverStops(t *testing.T) {
	w := newWorld(t, Config{MaxTalk: 5 * time.Second})
	s := &sender{name: "a", epoch: 1, packets: tone(t)}
	if level := rms(w.play(5*time.Second, s)[48000:]); level < 0.3 {
		t.Fatalf("level %.3f before", level)
	}
	w.play(200*time.Millisecond, s)
	heard := w.play(10*time.Second, s)
	if level := rms(heard); level != 0 {
		t.Errorf("level %.5f after the talker was cut off", level)
	}
	if len(w.Talkers()) != 0 || testutil.ToFloat64(w.metrics.refusedTooLong) != 1 ||
		testutil.ToFloat64(w.metrics.tooLong) < 490 {
		t.Errorf("%v; %v refused; %v packets dropped", w.names(), testutil.ToFloat64(w.metrics.refusedTooLong),
			testutil.ToFloat64(w.metrics.tooLong))
	}
	w.play(Pause + 100*time.Millisecond)
	if level := rms(w.play(2*time.Second, s)[48000:]); level < 0.3 {
		t.Errorf("level %.3f after a pause", level)
	}
}

// TestWhoIsTalking has a clear begin and a clear end.
func TestWhoIsTalking(t *testing.T) {
	w := newWorld(t, Config{})
	if names := w.names(); len(names) != 0 {
		t.Fatalf("%v talk before anybody does", names)
	}
	a, b := &sender{name: "anna", epoch: 1, packets: tone(t)}, &sender{name: "bert", epoch: 2, packets: loud(t)}
	begin := w.now
	w.Receive(a.frame())
	talkers := w.Talkers()
	if len(talkers) != 1 || talkers[0].GetName() != "anna" || !talkers[0].GetSince().AsTime().Equal(begin) {
		t.Fatalf("with the first packet: %v", talkers)
	}
	w.play(time.Second, a, b)
	if names := w.names(); !slices.Equal(names, []string{"anna", "bert"}) {
		t.Fatalf("%v talk, want both, the longest first", names)
	}
	w.play(time.Second, a, b)
	for i, t2 := range w.Talkers() {
		if got, want := t2.GetLevel().GetRmsDbfs(), []float64{-6, 0}[i]; math.Abs(got-want) > 0.5 {
			t.Errorf("%s: %.1f dBFS, want %v", t2.GetName(), got, want)
		}
		if d := t2.GetBuffered().AsDuration(); d < 20*time.Millisecond || d > 120*time.Millisecond {
			t.Errorf("%s: %v buffered", t2.GetName(), d)
		}
	}
	for silent := 0; len(w.names()) == 2; silent += 10 {
		if w.play(10*time.Millisecond, b); silent > 500 {
			t.Fatal("anna has been silent for half a second and is talking")
		}
	}
	if gauge := testutil.ToFloat64(w.metrics.talkers); gauge != 1 {
		t.Errorf("%v talkers are counted", gauge)
	}
	heard := w.play(time.Second)
	if len(w.names()) != 0 || rms(heard[24000:]) != 0 {
		t.Errorf("%v talk, level %v at the end", w.names(), rms(heard[24000:]))
	}
}

// TestGarbage plays what is no Opus, packets that are shortened, and random bytes: it is heard as little as can be, and
// what follows is good.
func TestGarbage(t *testing.T) {
	w, random := newWorld(t, Config{}), rand.New(rand.NewPCG(9, 10))
	good := &sender{name: "a", epoch: 1, packets: tone(t)}
	w.play(time.Second, good)
	bad := *good
	bad.packets = nil
	for i := range 50 {
		data := make([]byte, 1+random.IntN(300))
		for j := range data {
			data[j] = byte(random.Uint32())
		}
		if i%2 == 0 {
			data = []byte{0xff, 0x3f, 0xff} // a packet of 63 frames
		}
		bad.packets = append(bad.packets, data)
	}
	w.play(time.Second, &bad) // fails if a sample is out of range
	if n := testutil.ToFloat64(w.metrics.garbage); n < 20 {
		t.Errorf("%v packets of garbage", n)
	}
	good.sequence, good.index = bad.sequence, bad.index
	w.play(2*time.Second, good)
	heard := w.play(time.Second, good)
	if level := rms(heard); math.Abs(level-0.354) > 0.01 {
		t.Errorf("level %.3f afterwards", level)
	}
}

// TestReadAllocatesNothing while people talk, with loss, and with a feed.
func TestReadAllocatesNothing(t *testing.T) {
	s := simulate(t, Config{Channels: 2}, network{sender: 1e-4, path: uneven(30*time.Millisecond, 0.05)}, tone(t))
	f := open(t, s.world, raw(pcm.F32LE, 48000, 2))
	chunk := frameOf(raw(pcm.F32LE, 48000, 2), sine(300, 0.1, 960))
	s.run(5*time.Second, nil)
	block, reads := make([]float32, 960), 0
	allocations := 0.0
	for range 500 {
		if err := f.Write(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
		s.run(s.at()+10*time.Millisecond, nil)
		allocations += testing.AllocsPerRun(1, func() { // reads twice
			s.now = s.now.Add(5 * time.Millisecond)
			s.Read(block[:480])
		})
		s.blocks++
		reads++
	}
	if allocations != 0 {
		t.Errorf("%v allocations in %d reads", allocations, reads)
	}
	if testutil.ToFloat64(s.metrics.byPLC) == 0 {
		t.Error("nothing was lost")
	}
}

func TestReadFillsAnything(t *testing.T) {
	w := newWorld(t, Config{Channels: 2})
	w.play(time.Second, &sender{name: "a", epoch: 1, packets: tone(t)})
	for _, n := range []int{0, 1, 2, 3, 7, 4801, 96000} {
		out := make([]float32, n)
		for i := range out {
			out[i] = 9
		}
		w.Read(out)
		for i, s := range out {
			if s > 1 {
				t.Fatalf("sample %d of %d was not filled", i, n)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{
		{Rate: 7999}, {Rate: 192001}, {Channels: 3}, {Channels: -1}, {MaxTalkers: -1}, {MinDelay: -1},
		{MinDelay: time.Second}, {MaxDelay: time.Second}, {MinDelay: 100 * time.Millisecond, MaxDelay: 50 * time.Millisecond},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	registry := prometheus.NewRegistry()
	if _, err := New(Config{Metrics: registry}); err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
}

func TestClosedMixerIsSilent(t *testing.T) {
	w := newWorld(t, Config{})
	s := &sender{name: "a", epoch: 1, packets: tone(t)}
	w.play(time.Second, s)
	w.Close()
	if level := rms(w.play(time.Second, s)); level != 0 || len(w.names()) != 0 {
		t.Errorf("level %v, %v talk", level, w.names())
	}
	if _, err := w.Open("program", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("a program: %v", err)
	}
}
