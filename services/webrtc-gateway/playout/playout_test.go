package playout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Delay
		says string
	}{
		{text: "0"},
		{text: "0-0"},
		{text: "100-1000", want: Delay{100 * ms, time.Second}},
		{text: "50-50", want: Delay{50 * ms, 50 * ms}},
		{text: "0-510", want: Delay{0, 510 * ms}},
		{text: "40950-40950", want: Delay{40950 * ms, 40950 * ms}},
		{text: "", says: "write, for example, 100-1000"},
		{text: "100", says: "write, for example, 100-1000"},
		{text: "105-1000", says: "multiples of 10"},
		{text: "-100-1000", says: "write, for example, 100-1000"},
		{text: "10-40960", says: "up to 40950"},
		{text: "a-b", says: "write, for example, 100-1000"},
		{text: "100ms-1000ms", says: "write, for example, 100-1000"},
		{text: "1000-100", says: "write it as 100-1000"},
		{text: "0-200", says: "a greatest delay above 500"},
	} {
		got, err := Parse(tt.text)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.says)
		}
		if err == nil && got != tt.want {
			t.Errorf("%q is %v, want %v", tt.text, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"0", "100-1000", "1000-100", "", "-", "0-0", "99999-1", "40950-40950"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		if d.Min > d.Max || d.Min < 0 || d.Max > most || d.Min == 0 && d.Max > 0 && d.Max <= smooth {
			t.Errorf("%q is %v", text, d)
		}
		if again, err := Parse(d.String()); err != nil || again != d {
			t.Errorf("%v is read as %v, %v", d, again, err)
		}
		e := d.Extension()
		if least, greatest := int(e[0])<<4|int(e[1])>>4, int(e[1]&0xf)<<8|int(e[2]); time.Duration(least)*unit != d.Min ||
			time.Duration(greatest)*unit != d.Max {
			t.Errorf("%v becomes % x", d, e)
		}
	})
}

// viewer is a Control that is asked ten times a second.
type viewer struct {
	Control
	state State
	now   time.Time
	lost  float64 // to be sent again
}

// run sends 100 packets a second, of which a share is sent again.
func (v *viewer) run(d time.Duration, share float64) (got Delay) {
	for end := v.now.Add(d); v.now.Before(end); v.now = v.now.Add(100 * ms) {
		v.state.Sent += 10
		v.lost += 10 * share
		v.state.Repaired += uint64(v.lost)
		v.lost -= float64(uint64(v.lost))
		got = v.Update(v.state, v.now)
	}
	return got
}

func TestControl(t *testing.T) {
	none := Delay{}
	for _, tt := range []struct {
		name     string
		trip     time.Duration
		driving  bool
		share    float64
		want     Delay
		repaired string
	}{
		{"clean", 20 * ms, false, 0, none, "0.000"},
		{"a packet in a while", 20 * ms, false, 0.008, none, "0.008"},
		{"losses", 20 * ms, false, 0.02, Delay{50 * ms, time.Second}, "0.020"},
		{"losses on a path of 41 ms", 41 * ms, false, 0.02, Delay{80 * ms, time.Second}, "0.020"},
		{"losses on a path of 150 ms", 150 * ms, false, 0.02, Delay{180 * ms, time.Second}, "0.020"},
		{"losses on a long path", 151 * ms, false, 0.02, none, "0.020"},
		{"losses on an unknown path", 0, false, 0.02, none, "0.020"},
		{"losses, and the viewer drives", 20 * ms, true, 0.02, none, "0.020"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := viewer{state: State{RoundTrip: tt.trip, Driving: tt.driving}, now: time.Unix(1000, 0)}
			if got := v.run(20*time.Second, tt.share); got != tt.want {
				t.Errorf("the delay is %v, want %v", got, tt.want)
			}
			if got := fmt.Sprintf("%.3f", v.Repaired()); got != tt.repaired {
				t.Errorf("repaired: %s, want %s", got, tt.repaired)
			}
		})
	}
}

// TestDelayStaysAndReturns: it stays for 12 s after the losses, and is gone 10 ms by 10 ms.
func TestDelayStaysAndReturns(t *testing.T) {
	v := viewer{state: State{RoundTrip: 40 * ms}, now: time.Unix(1000, 0)}
	want := Delay{70 * ms, time.Second}
	v.run(10*time.Second, 0.05)
	if got := v.run(hold-ms, 0); got != want {
		t.Errorf("within the hold it is %v, want %v", got, want)
	}
	v.run(badSpan, 0) // for so long the losses count
	if got := v.run(time.Second, 0); got != (Delay{}) {
		t.Errorf("at last it is %v", got)
	}
	v.run(6*time.Second, 0.05)
	before := want
	for range 200 {
		got := v.run(100*ms, 0)
		if got != before && before.Min-got.Min != unit {
			t.Errorf("it goes from %v to %v", before, got)
		}
		if got.Min == 0 && got.Max != 0 {
			t.Errorf("it becomes %v", got)
		}
		before = got
	}
}

// TestDriverIsNotHeldBack: the delay is gone at once when a viewer begins to drive.
func TestDriverIsNotHeldBack(t *testing.T) {
	v := viewer{state: State{RoundTrip: 40 * ms}, now: time.Unix(1000, 0)}
	if got := v.run(10*time.Second, 0.05); got.Min == 0 {
		t.Fatal("there is no delay")
	}
	v.state.Driving = true
	if got := v.run(100*ms, 0.05); got != (Delay{}) {
		t.Errorf("the delay of a driver is %v", got)
	}
}

// TestCountersBeginAgain: a viewer that is sent another stream is counted from 0.
func TestCountersBeginAgain(t *testing.T) {
	v := viewer{state: State{RoundTrip: 40 * ms}, now: time.Unix(1000, 0)}
	v.run(10*time.Second, 0)
	v.state.Sent = 0
	if got := v.run(10*time.Second, 0); got != (Delay{}) || v.Repaired() != 0 {
		t.Errorf("the delay is %v, %v are repaired", got, v.Repaired())
	}
}

func TestNotice(t *testing.T) {
	delay := Delay{50 * ms, time.Second}
	told := func(n *Notice, seqs ...uint16) {
		for _, s := range seqs {
			if n.Tell(delay, false) {
				n.Told(s, s+1000)
			}
		}
	}
	for _, tt := range []struct {
		name string
		do   func(n *Notice)
		want bool // it is told still
	}{
		{"nothing is reported", func(n *Notice) { told(n, 1, 8) }, true},
		{"the first arrived", func(n *Notice) {
			told(n, 1, 8)
			n.Ask(func(number uint16) (arrived, settled bool) { return number == 1001, true })
		}, false},
		{"the first was lost, and the next arrived", func(n *Notice) {
			told(n, 1)
			fate := func(number uint16) (arrived, settled bool) { return number == 1008, true }
			n.Ask(fate)
			told(n, 8)
			n.Ask(fate)
		}, false},
		{"the first was lost", func(n *Notice) {
			told(n, 1)
			n.Ask(func(uint16) (arrived, settled bool) { return false, true })
			told(n, 8)
			n.Ask(func(uint16) (arrived, settled bool) { return false, false })
		}, true},
		{"all arrived", func(n *Notice) { told(n, 65535); n.Report(0, true) }, false},
		{"all before arrived", func(n *Notice) { told(n, 5); n.Report(4, true) }, true},
		{"some were lost", func(n *Notice) { told(n, 5, 12); n.Report(20, false) }, true},
		{"some of many were lost", func(n *Notice) {
			for s := range uint16(enough) {
				told(n, s)
			}
			n.Report(enough, false)
		}, false},
		{"it changes", func(n *Notice) { told(n, 1); n.Report(1, true); n.Tell(Delay{}, false); n.Told(2, 2) }, true},
	} {
		var n Notice
		tt.do(&n)
		if got := n.Tell(delay, false); got != tt.want {
			t.Errorf("%s: told still: %v, want %v", tt.name, got, tt.want)
		}
		if !n.Tell(delay, true) {
			t.Errorf("%s: a key frame does not tell it", tt.name)
		}
	}
}
