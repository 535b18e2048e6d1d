package steer

import (
	"testing"
	"time"
)

func TestFit(t *testing.T) {
	const main = 1_000_000
	type phase struct {
		lasts    time.Duration
		share    int64
		strained bool
	}
	s := time.Second
	for _, tt := range []struct {
		name   string
		small  bool
		phases []phase
		want   version
	}{
		{"room", true, []phase{{20 * s, 2_000_000, false}}, whole},
		{"unknown", true, []phase{{20 * s, 0, true}}, whole},
		{"too little, not yet long", true, []phase{{1900 * time.Millisecond, 500_000, false}}, whole},
		{"too little", true, []phase{{2100 * time.Millisecond, 500_000, false}}, small},
		{"far too little", true, []phase{{600 * time.Millisecond, 300_000, false}}, small},
		{"far too little for key frames alone", true, []phase{{s, 300_000, false}, {s, 100_000, false}}, small},
		{"just enough", true, []phase{{20 * s, 610_000, false}}, whole},
		{"just enough, with a queue", true, []phase{{3 * s, 900_000, true}}, small},
		{"enough, with a queue", true, []phase{{20 * s, 1_100_000, true}}, whole},
		{"too little with a short lull", true, []phase{{s, 500_000, false}, {400 * time.Millisecond, main, false},
			{s, 500_000, false}}, small},
		{"too little with a long lull", true, []phase{{s, 500_000, false}, {s, main, false}, {s, 500_000, false}}, whole},
		{"back too soon", true, []phase{{3 * s, 500_000, false}, {9 * s, 1_400_000, false}}, small},
		{"back", true, []phase{{3 * s, 500_000, false}, {11 * s, 1_400_000, false}}, whole},
		{"not enough to come back", true, []phase{{3 * s, 500_000, false}, {60 * s, 1_200_000, false}}, small},
		{"interrupted", true, []phase{{3 * s, 500_000, false}, {6 * s, 1_400_000, false}, {s, 1_200_000, false},
			{6 * s, 1_400_000, false}}, small},
		{"hardly anything", true, []phase{{5 * s, 100_000, false}}, keys},
		{"hardly anything, not yet long", true, []phase{{2400 * time.Millisecond, 100_000, false}}, small},
		{"a little more", true, []phase{{5 * s, 100_000, false}, {11 * s, 200_000, false}}, small},
		{"no small version", false, []phase{{20 * s, 500_000, true}}, whole},
		{"no small version, and hardly anything", false, []phase{{3 * s, 100_000, false}}, keys},
		{"no small version, and back", false, []phase{{3 * s, 100_000, false}, {11 * s, 1_400_000, false}}, whole},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f fit
			now, got := began, whole
			for _, p := range tt.phases {
				for end := now.Add(p.lasts); now.Before(end); now = now.Add(50 * time.Millisecond) {
					got = f.step(now, fitting{share: p.share, main: main, small: tt.small, strained: p.strained})
				}
			}
			if got != tt.want {
				t.Errorf("version %v, want %v", got, tt.want)
			}
		})
	}
}

// TestFitStreamAsSmall brings a viewer back to a stream that has become as small as its small version.
func TestFitStreamAsSmall(t *testing.T) {
	f := fit{version: small}
	now := began
	for range 110 {
		f.step(now, fitting{share: 320_000, main: 300_000, small: true})
		now = now.Add(100 * time.Millisecond)
	}
	if f.version != whole {
		t.Errorf("version %v", f.version)
	}
	if f.step(now, fitting{share: 320_000, main: 300_000}); f.version != whole {
		t.Errorf("version %v without a small one", f.version)
	}
}

// TestFitWithoutSmall returns to the stream when the camera no longer has a small version.
func TestFitWithoutSmall(t *testing.T) {
	f := fit{version: small}
	if got := f.step(began, fitting{share: 400_000, main: 1_000_000}); got != whole {
		t.Errorf("version %v", got)
	}
}
