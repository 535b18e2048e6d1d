package playout

import (
	"testing"
	"time"
)

func TestTrace(t *testing.T) {
	p := tone(t)
	for _, n := range []time.Duration{1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90, 100, 120, 150, 180} {
		w, _ := hour(t, network{sender: 200e-6}, n*time.Second, p)
		v := w.the()
		captured := float64(v.playing()-v.origin) / 48000 / (1 + 200e-6)
		t.Logf("%d: miss true %.2f smooth %.2f target %.1f learned %.0f stretch %.0f quick %.2f spread %.2f", n, 1000*(w.now.Sub(time.Unix(1000000, 0)).Seconds()-captured-v.drift.target), v.drift.smooth*1000, v.drift.target*1000, v.drift.learned*1e6, v.stretch*1e6, v.arrivals.quickest*1000, v.arrivals.spread*1000)
	}
}
