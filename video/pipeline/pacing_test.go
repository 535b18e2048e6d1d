package pipeline

import (
	"testing"
	"time"
)

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
		if err := p.RequestKeyFrame(t.Context(), usual); err != nil {
			t.Fatal(err)
		}
	}
	if n := keys(5); n != 1 {
		t.Errorf("%d key frames after 100 requests at once, want one", n)
	}
	if err := p.RequestKeyFrame(t.Context(), usual); err != nil { // too soon, so it is carried out later
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
