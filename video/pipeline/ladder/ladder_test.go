package ladder

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// shape writes a step as people do.
func shape(s Step) string { return fmt.Sprintf("%dx%d@%.3g", s.Width, s.Height, s.Rate) }

var hd = Step{1280, 720, 30}

// TestSteps looks at a bit rate at once, and after it has been in force for long.
func TestSteps(t *testing.T) {
	for _, tt := range []struct {
		full                Step
		configured, bitrate int64
		first, later        string
	}{
		{hd, 2_000_000, 2_000_000, "1280x720@30", "1280x720@30"},
		{hd, 2_000_000, 3_000_000, "1280x720@30", "1280x720@30"},
		{hd, 2_000_000, 1_200_000, "1280x720@30", "1280x720@30"},
		{hd, 2_000_000, 1_100_000, "1280x720@20", "1280x720@20"},
		{hd, 2_000_000, 810_000, "1280x720@20", "1280x720@20"},
		{hd, 2_000_000, 790_000, "1280x720@15", "960x540@30"},
		{hd, 2_000_000, 690_000, "1280x720@15", "960x540@30"},
		{hd, 2_000_000, 600_000, "1280x720@15", "640x360@30"},
		{hd, 2_000_000, 350_000, "1280x720@7.5", "640x360@30"},
		{hd, 2_000_000, 290_000, "1280x720@5", "640x360@20"},
		{hd, 2_000_000, 160_000, "1280x720@5", "640x360@15"},
		{hd, 2_000_000, 50_000, "1280x720@5", "640x360@5"},
		// who configures few bits does not get small pictures for it
		{hd, 600_000, 600_000, "1280x720@30", "1280x720@30"},
		{hd, 600_000, 500_000, "1280x720@30", "1280x720@30"},
		{hd, 600_000, 300_000, "1280x720@15", "960x540@30"},
		{hd, 600_000, 200_000, "1280x720@10", "640x360@30"},
		{Step{1920, 1080, 60}, 8_000_000, 6_000_000, "1920x1080@60", "1920x1080@60"},
		{Step{1920, 1080, 60}, 8_000_000, 2_800_000, "1920x1080@30", "1920x1080@30"},
		{Step{1920, 1080, 60}, 8_000_000, 1_700_000, "1920x1080@15", "1440x810@30"},
		{Step{1920, 1080, 60}, 8_000_000, 1_000_000, "1920x1080@10", "960x540@40"},
		{Step{1920, 1080, 60}, 8_000_000, 100_000, "1920x1080@10", "720x406@10"},
		{Step{640, 480, 30}, 1_000_000, 410_000, "640x480@30", "640x480@30"},
		{Step{640, 480, 30}, 1_000_000, 300_000, "640x480@20", "640x480@20"},
		{Step{640, 480, 30}, 1_000_000, 250_000, "640x480@15", "480x360@30"},
		{Step{720, 1280, 30}, 2_000_000, 300_000, "720x1280@7.5", "360x640@30"}, // stands upright
		{Step{320, 240, 30}, 300_000, 50_000, "320x240@15", "320x240@15"},       // is small already
		{Step{1280, 720, 10}, 1_000_000, 400_000, "1280x720@10", "1280x720@10"},
		{Step{1280, 720, 10}, 1_000_000, 100_000, "1280x720@5", "640x360@10"},
		{Step{1280, 720, 2}, 1_000_000, 50_000, "1280x720@2", "960x540@2"},
		{Step{1280, 720, 0}, 2_000_000, 2_000_000, "1280x720@0", "1280x720@0"}, // the rate is not known
		{Step{1280, 720, 0}, 2_000_000, 690_000, "1280x720@15", "960x540@0"},
	} {
		t.Run(fmt.Sprintf("%s of %d at %d", shape(tt.full), tt.configured, tt.bitrate), func(t *testing.T) {
			var l Ladder
			now := time.Unix(1000, 0)
			l.Next(tt.full, tt.configured, tt.configured, now)
			if got := shape(l.Next(tt.full, tt.configured, tt.bitrate, now)); got != tt.first {
				t.Errorf("at once: %s, want %s", got, tt.first)
			}
			for range 100 {
				now = now.Add(100 * time.Millisecond)
				l.Next(tt.full, tt.configured, tt.bitrate, now)
			}
			if got := shape(l.Next(tt.full, tt.configured, tt.bitrate, now)); got != tt.later {
				t.Errorf("later: %s, want %s", got, tt.later)
			}
		})
	}
}

// play has bit rates that are in force for some seconds each, and returns the changes.
func play(l *Ladder, rates ...[2]float64) (changes []string) {
	now, last := time.Unix(1000, 0), ""
	begin := now
	for _, r := range rates {
		for end := now.Add(time.Duration(r[1] * float64(time.Second))); now.Before(end); now = now.Add(time.Second / 20) {
			if s := shape(l.Next(hd, 2_000_000, int64(r[0]), now)); s != last {
				changes, last = append(changes, fmt.Sprintf("%.4g s %s", now.Sub(begin).Seconds(), s)), s
			}
		}
	}
	return changes
}

func TestTheWayDownAndUp(t *testing.T) {
	for name, tt := range map[string]struct {
		rates [][2]float64
		want  []string
	}{
		"3 to 0.5 to 3 Mbit/s": {[][2]float64{{3e6, 5}, {0.5e6, 15}, {3e6, 15}},
			[]string{"0 s 1280x720@30", "5 s 1280x720@10", "7 s 640x360@30", "22 s 1280x720@30"}},
		"a short need": {[][2]float64{{2e6, 5}, {0.5e6, 1.5}, {2e6, 5}},
			[]string{"0 s 1280x720@30", "5 s 1280x720@10", "6.5 s 1280x720@30"}},
		"two needs soon after one another": {[][2]float64{{0.7e6, 3}, {0.4e6, 10}},
			[]string{"0 s 1280x720@15", "2 s 960x540@30", "3 s 960x540@15", "7 s 640x360@30"}},
		"back soon": {[][2]float64{{0.5e6, 3}, {2e6, 10}},
			[]string{"0 s 1280x720@10", "2 s 640x360@30", "7 s 1280x720@30"}},
		"around a threshold": {[][2]float64{{1.19e6, 1}, {1.21e6, 10}, {1.19e6, 1}, {1.21e6, 10}},
			[]string{"0 s 1280x720@20"}},
		"above it": {[][2]float64{{1.19e6, 1}, {1.33e6, 10}},
			[]string{"0 s 1280x720@20", "1 s 1280x720@30"}},
		"slowly": {[][2]float64{{0.3e6, 10}, {0.5e6, 10}, {0.76e6, 10}, {1.3e6, 10}, {1.33e6, 10}},
			[]string{"0 s 1280x720@7.5", "2 s 640x360@30", "22 s 960x540@30", "42 s 1280x720@30"}},
	} {
		t.Run(name, func(t *testing.T) {
			var l Ladder
			l.Next(hd, 2_000_000, 2_000_000, time.Unix(1000, 0))
			if got := play(&l, tt.rates...); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}

// TestAnyHistory has random bit rates: whatever they are, pictures are possible, sizes are far enough apart, the bits
// of a pixel are enough where the rate can still fall, and the whole picture comes back in the end.
func TestAnyHistory(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 13))
		full := Step{Width: 2 * (8 + r.IntN(1900)), Height: 2 * (8 + r.IntN(1100)), Rate: []float64{0, 1, 5, 15, 25, 30, 60,
			90}[r.IntN(8)]}
		configured := int64(50_000 + r.IntN(8_000_000))
		var l Ladder
		now := time.Unix(1000, 0)
		var resized time.Time
		last := full
		for range 500 {
			now = now.Add(time.Duration(r.IntN(1500)) * time.Millisecond)
			bitrate := int64(50_000 + r.IntN(int(configured)+1_000_000))
			s := l.Next(full, configured, bitrate, now)
			if s.Width != last.Width {
				if !resized.IsZero() && now.Sub(resized) < Apart {
					t.Fatalf("seed %d: another size after %v", seed, now.Sub(resized))
				}
				resized = now
			}
			last = s
			bits := float64(bitrate) / s.Bitrate(1)
			switch {
			case s.Width < 2 || s.Height < 2 || s.Width%2+s.Height%2 > 0 || s.Width > full.Width || s.rate() > full.rate():
				t.Fatalf("seed %d: %+v of %+v", seed, s, full)
			case s.rate() < min(full.rate(), leastRate):
				t.Fatalf("seed %d: %+v is no video", seed, s)
			case bitrate < configured && s.rate()*2 > full.rate() && s.rate() > 2*leastRate && s.rate() < full.rate() &&
				bits < 0.99*min(LeastBits, 0.8*float64(configured)/full.Bitrate(1)):
				t.Fatalf("seed %d: %+v has %v bits a pixel", seed, s, bits)
			}
		}
		for range 3 {
			now = now.Add(Apart)
			last = l.Next(full, configured, configured, now)
		}
		if last != full {
			t.Fatalf("seed %d: %+v of %+v comes back", seed, last, full)
		}
	}
}

// TestTheBeginning has the right size at once: there is no other that would have to be changed.
func TestTheBeginning(t *testing.T) {
	var l Ladder
	for _, tt := range []struct {
		full    Step
		bitrate int64
		want    string
	}{
		{hd, 400_000, "640x360@30"}, {hd, 2_000_000, "640x360@30"}, // which is changed like any other
		{Step{640, 480, 30}, 2_000_000, "640x480@30"}, {hd, 100_000, "640x360@10"}, // the camera has another size
	} {
		if got := shape(l.Next(tt.full, 2_000_000, tt.bitrate, time.Unix(1000, 0))); got != tt.want {
			t.Errorf("%s at %d: %s, want %s", shape(tt.full), tt.bitrate, got, tt.want)
		}
	}
}

func TestSmall(t *testing.T) {
	for _, tt := range []struct {
		full Step
		want string
	}{
		{hd, "640x360@15"}, {Step{1920, 1080, 60}, "640x360@15"}, {Step{720, 1280, 30}, "360x640@15"},
		{Step{640, 480, 30}, "554x416@15"}, {Step{320, 240, 10}, "320x240@10"}, {Step{640, 360, 0}, "640x360@15"},
		{Step{8192, 32, 30}, "7680x30@15"},
	} {
		if got := shape(Small(tt.full)); got != tt.want {
			t.Errorf("%s: %s, want %s", shape(tt.full), got, tt.want)
		}
	}
}
