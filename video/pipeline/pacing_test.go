package pipeline

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
)

func TestRateIsReachedFromBelow(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, tt := range []struct{ captured, wanted float64 }{{30, 15}, {30, 10}, {30, 20}, {60, 25}, {30, 1}, {29.97, 29},
		{30, 0}} {
		p := pacer{rate: tt.wanted}
		n := 0
		const seconds = 20
		for i := range int(tt.captured * seconds) {
			jitter := time.Duration(i%3-1) * 2 * time.Millisecond
			if p.take(start.Add(time.Duration(float64(i)/tt.captured*1e9)+jitter), tt.captured) {
				n++
			}
		}
		want := tt.wanted * seconds
		if tt.wanted == 0 {
			want = tt.captured * seconds
		}
		if float64(n) > want+1 || float64(n) < want*0.93-1 {
			t.Errorf("%v of %v pictures per second: %d in %d s", tt.wanted, tt.captured, n, seconds)
		}
	}
}

func TestRateSurvivesAClockThatJumps(t *testing.T) {
	p := pacer{rate: 10}
	now := time.Unix(100000, 0)
	for _, jump := range []time.Duration{0, -time.Hour, time.Hour} {
		now = now.Add(jump)
		n := 0
		for range 30 {
			now = now.Add(time.Second / 30)
			if p.take(now, 30) {
				n++
			}
		}
		if n < 9 || n > 12 {
			t.Errorf("after a jump of %v: %d pictures in a second, want 10", jump, n)
		}
	}
}

func TestRequestKeyFrame(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	r := p.open(t, h264())
	m.expect(t, true)
	keys := func(n int) (keys int) {
		for range n {
			m.snap(t, time.Now())
			if next(t, r).GetKeyFrame() {
				keys++
			}
		}
		return keys
	}
	if n := keys(5); n != 1 {
		t.Fatalf("%d key frames in the first five, want one", n)
	}
	time.Sleep(keyInterval) // the least distance of key frames is measured in real time
	for range 100 {
		if err := p.RequestKeyFrame(t.Context(), media.H264); err != nil {
			t.Fatal(err)
		}
	}
	if n := keys(5); n != 1 {
		t.Errorf("%d key frames after 100 requests at once, want one", n)
	}
	if err := p.RequestKeyFrame(t.Context(), media.H264); err != nil { // too soon, so it is carried out later
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for keys(1) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("a request that came too soon was forgotten")
		}
	}
}

func TestSecondReaderGetsAKeyFrame(t *testing.T) {
	p := run(t, card(t, 64, 48, 100), Config{})
	a := p.open(t, h264())
	next(t, a)
	if f := next(t, p.open(t, h264())); !f.GetKeyFrame() {
		t.Error("it began with another frame")
	}
}
