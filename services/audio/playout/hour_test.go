package playout

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"gopkg.in/hraban/opus.v2"
)

// network is how packets get from the sender to the mixer.
type network struct {
	sender float64 // how much faster than the true time the clock of the sender is
	card   float64 // the same of the card
	jitter time.Duration
	loss   float64
}

// result is what an hour was like.
type result struct {
	worst float64 // seconds by which the delay was off its target
	calm  float64 // roughness in the beginning
	rough float64 // roughness at any time later
}

// hour plays a sine over a network in simulated time. The delay is measured from outside: from the true time at which the sample that is being
// played was captured.
func hour(t *testing.T, n network, length time.Duration, packets [][]byte) (*world, result) {
	w := newWorld(t, Config{MaxTalk: -1})
	start, random := w.now, rand.New(rand.NewPCG(1, 2))
	s := &sender{name: "a", epoch: 1, packets: packets}
	type arrival struct {
		at    time.Duration
		frame int64
	}
	var coming []arrival
	next := time.Duration(0)
	block, last := make([]float32, 480), [2]float32{}
	var r result
	for i := 0; ; i++ {
		at := time.Duration(float64(i) * 0.010 / (1 + n.card) * float64(time.Second))
		if at > length {
			return w, r
		}
		for next <= at {
			number := int64(math.Round(next.Seconds() * (1 + n.sender) / 0.020))
			coming = append(coming, arrival{next + time.Duration(random.Float64()*float64(n.jitter)), number})
			next = time.Duration(float64(number+1) * 0.020 / (1 + n.sender) * float64(time.Second))
		}
		for {
			first := -1
			for j, a := range coming {
				if a.at <= at && (first < 0 || a.at < coming[first].at) {
					first = j
				}
			}
			if first < 0 {
				break
			}
			a := coming[first]
			coming = append(coming[:first], coming[first+1:]...)
			if a.frame > 0 && random.Float64() < n.loss {
				continue
			}
			w.now = start.Add(a.at)
			s.sequence, s.index = a.frame, a.frame*960
			w.Receive(s.frame())
		}
		w.now = start.Add(at)
		w.Read(block)
		d := max(roughness(block), roughness(append(last[:], block[:2]...)))
		last = [2]float32(block[478:])
		if at < 30*time.Second {
			if at > 10*time.Second {
				r.calm = max(r.calm, d)
			}
			continue
		}
		voice := w.the()
		captured := float64(voice.playing()-voice.origin) / 48000 / (1 + n.sender)
		r.worst = max(r.worst, math.Abs(at.Seconds()-captured-voice.drift.target))
		r.rough = max(r.rough, d)
	}
}

// decoderAlone is how rough the decoder makes the same packets with so much loss, when there is no playout around it.
func decoderAlone(t *testing.T, packets [][]byte, loss float64) (most float64) {
	random := rand.New(rand.NewPCG(3, 4))
	d, err := newDecoder(1)
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	var all []float32
	for i := range 50 * 180 {
		data := packets[i%len(packets)]
		if lost && carriesCopy(data) {
			samples, err := d.before(data, standardPacket)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, samples...)
		} else if lost {
			all = append(all, d.madeUp(standardPacket)...)
		}
		if lost = random.Float64() < loss; lost {
			continue // a second one in a row is made up above, as its follower carries a copy of it alone
		}
		samples, err := d.packet(data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, samples...)
	}
	return roughness(all[48000:])
}

// TestAnHour holds the delay at its target, though two clocks differ, without a click.
func TestAnHour(t *testing.T) {
	length := time.Hour
	if testing.Short() {
		length = 3 * time.Minute
	}
	clean := tone(t)
	robust := encode(t, sine(1000, 0.5, 48000*3), opus.AppVoIP, 24000, true)[100:]
	tests := []struct {
		name    string
		network network
		packets [][]byte
	}{
		{"sender 200 ppm fast", network{sender: 200e-6}, clean},
		{"card 200 ppm fast", network{card: 200e-6}, clean},
		{"apart by 500 ppm", network{sender: 250e-6, card: -250e-6}, clean},
		{"sender fast, jitter", network{sender: 200e-6, jitter: 30 * time.Millisecond}, clean},
		{"card fast, jitter, 5 % loss", network{card: 200e-6, jitter: 30 * time.Millisecond, loss: 0.05}, robust},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, r := hour(t, tt.network, length, tt.packets)
			t.Logf("delay off by at most %.1f ms; target %.0f ms; roughness %.4f, in the beginning %.4f; stretched by %.0f ppm; %.0f by FEC, %.0f by PLC, %.0f stalls",
				1000*r.worst, 1000*w.the().drift.target, r.rough, r.calm, 1e6*w.the().stretch,
				testutil.ToFloat64(w.metrics.byFEC), testutil.ToFloat64(w.metrics.byPLC), testutil.ToFloat64(w.metrics.stalls))
			if r.worst > 0.020 {
				t.Errorf("the delay was off by %.1f ms, want at most 20", 1000*r.worst)
			}
			if want := decoderAlone(t, tt.packets, tt.network.loss); r.rough > 1.2*want {
				t.Errorf("roughness %.4f, of the decoder alone %.4f: a click", r.rough, want)
			}
			if n := testutil.ToFloat64(w.metrics.stalls); n != 0 && tt.network.loss == 0 {
				t.Errorf("%v stalls without a loss", n)
			}
			if n := testutil.ToFloat64(w.metrics.skipped); n != 0 {
				t.Errorf("%v packets skipped", n)
			}
		})
	}
}
