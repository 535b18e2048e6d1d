package clock

import (
	"testing"
	"time"
)

// report tells e what a camera says every 5 s. ntp turns the true time into what the camera says.
func reporter(e *Estimator, sound bool, skew time.Duration, ntp func(time.Time) time.Time) func(shot) {
	next := time.Second
	return func(s shot) {
		if s.captured < next {
			return
		}
		next = s.captured + 5*time.Second
		e.Report(Report{Sound: sound, Time: s.stamped + skew, NTP: ntp(boot.Add(s.captured)),
			Arrival: boot.Add(s.captured + nearest)})
	}
}

// A camera whose wall clock is right gives the true time of capture to 2 ms; all others are timed by arrival, to 3 ms.
func TestReports(t *testing.T) {
	n := 0
	tests := map[string]struct {
		ntp  func(time.Time) time.Time
		want string
	}{
		"right":     {func(t time.Time) time.Time { return t }, RTCP},
		"1.5 s ago": {func(t time.Time) time.Time { return t.Add(-1500 * ms) }, RTCP},
		"1900":      {func(time.Time) time.Time { return time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC) }, Arrival},
		"1970":      {func(t time.Time) time.Time { return time.Unix(0, 0).Add(t.Sub(boot)) }, Arrival},
		"2036": {func(t time.Time) time.Time {
			return time.Date(2036, 2, 7, 6, 28, 16, 0,
				time.UTC).Add(t.Sub(boot))
		}, Arrival},
		"since boot": {func(t time.Time) time.Time {
			return time.Date(1900, 1, 1, 5, 0, 0, 0,
				time.UTC).Add(t.Sub(boot))
		}, Arrival},
		"local time": {func(t time.Time) time.Time { return t.Add(2 * time.Hour) }, Arrival},
		"ahead":      {func(t time.Time) time.Time { return t.Add(150 * ms) }, Arrival},
		"by sending": {func(t time.Time) time.Time { n++; return t.Add(-time.Duration(n%3) * 300 * ms) }, Arrival},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := New(0)
			shots := camera{ppm: 50, jitter: 4 * ms, burst: 0.02}.run(t, e, 2*time.Minute, reporter(e, false, 0,
				test.ntp))
			for _, s := range after(shots, time.Minute) {
				if s.clock != test.want {
					t.Fatalf("picture of %v is timed by %v", s.captured, s.clock)
				}
				truth := boot.Add(s.captured + nearest)
				if test.want == RTCP {
					truth = test.ntp(boot.Add(s.captured))
				}
				if off := abs(boot.Add(s.got).Sub(truth)); off > 3*ms {
					t.Fatalf("picture of %v: %v off", s.captured, off)
				}
			}
			if got := largestStep(after(shots, 2*time.Second)); got > maxStep {
				t.Errorf("largest step %v", got)
			}
		})
	}
}

// A wall clock that is set while the camera sends is not believed any more, and believed again if it is right after
// all.
func TestReportsThatStep(t *testing.T) {
	for _, step := range []time.Duration{3600 * time.Second, -3600 * time.Second, -500 * ms} {
		e := New(0)
		ntp := func(at time.Time) time.Time {
			if at.Sub(boot) > time.Minute && at.Sub(boot) < 2*time.Minute {
				return at.Add(step)
			}
			return at
		}
		shots := camera{jitter: 4 * ms}.run(t, e, 3*time.Minute, reporter(e, false, 0, ntp))
		clocks := map[string]int{}
		for _, s := range after(shots, 70*time.Second) {
			if s.captured < 110*time.Second {
				clocks[s.clock]++
			}
		}
		if step != -500*ms && clocks[RTCP] > 0 {
			t.Errorf("%v: %v", step, clocks)
		}
		if last := shots[len(shots)-1]; last.clock != RTCP || abs(last.got-last.captured) > 2*ms {
			t.Errorf("%v: at the end %v off by %v", step, last.got-last.captured, last.clock)
		}
		if got := largestStep(after(shots, 2*time.Second)); got > maxStep {
			t.Errorf("%v: largest step %v", step, got)
		}
	}
}

// A flash and a beep at once have the same time within 40 ms, although pictures need 150 ms and sound 20 ms, if the
// reports of both are of one clock, even a wrong one. Without reports they differ by what arrival says.
func TestSoundAndPicturesAreInStep(t *testing.T) {
	right := func(t time.Time) time.Time { return t }
	wrong := func(t time.Time) time.Time { return t.Add(-20 * 365 * 24 * time.Hour) }
	for name, ntp := range map[string]func(time.Time) time.Time{"right": right, "2006": wrong} {
		t.Run(name, func(t *testing.T) {
			e := New(0)
			const skew = 7 * time.Hour // of the stamps of sound
			pictures, sound := reporter(e, false, 0, ntp), reporter(e, true, skew, ntp)
			var largest time.Duration
			c := camera{ppm: 100, jitter: 3 * ms, burst: 0.02,
				wait: func(time.Duration) time.Duration { return 70 * ms }}
			c.run(t, e, 2*time.Minute, func(s shot) {
				pictures(s)
				sound(s)
				heard := e.Sound(Sample{Time: s.stamped + skew, Arrival: boot.Add(s.captured + 20*ms)})
				if heard.Time.After(boot.Add(s.captured + 20*ms)) {
					t.Fatal("sound of the future")
				}
				if s.captured > 20*time.Second {
					largest = max(largest, abs(heard.Time.Sub(boot.Add(s.got))))
				}
			})
			if largest > 40*ms {
				t.Errorf("%v apart", largest)
			}
		})
	}
}

// Reports of two clocks tie nothing.
func TestReportsOfTwoClocks(t *testing.T) {
	e := New(0)
	pictures := reporter(e, false, 0, func(t time.Time) time.Time { return t })
	sound := reporter(e, true, 0, func(t time.Time) time.Time { return t.Add(-time.Hour) })
	camera{}.run(t, e, time.Minute, func(s shot) {
		pictures(s)
		sound(s)
		if got := e.Sound(Sample{Time: s.stamped,
			Arrival: boot.Add(s.arrived)}); abs(got.Time.Sub(boot.Add(s.arrived))) > 5*ms {
			t.Fatalf("sound is %v off", got.Time.Sub(boot.Add(s.arrived)))
		}
	})
}

// Whatever a camera sends, nothing comes from the future, and nothing panics.
func FuzzEstimator(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Add([]byte("\x00\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x00\x00\x00\x00\x00\x00\x00\x00\x80\x10"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, at := New(0), boot
		for ; len(data) >= 10; data = data[10:] {
			var stamp uint64
			for _, b := range data[1:9] {
				stamp = stamp<<8 | uint64(b)
			}
			at = at.Add(time.Duration(data[9]) * ms)
			media := time.Duration(stamp)
			var got Stamp
			switch data[0] % 4 {
			case 0, 1:
				got = e.Picture(Sample{Time: media, Arrival: at, Restart: data[0] == 4})
			case 2:
				got = e.Sound(Sample{Time: media, Arrival: at})
			default:
				e.Report(Report{Sound: data[0]&4 != 0, Time: media >> 8, NTP: at.Add(media >> 1), Arrival: at})
				continue
			}
			if got.Time.After(at) || e.Delay() < 0 {
				t.Fatalf("captured %v, arrived %v, delay %v", got.Time, at, e.Delay())
			}
		}
	})
}
