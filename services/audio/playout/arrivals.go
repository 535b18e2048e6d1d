package playout

import "slices"

const arrivalWindow = 256

// arrivals knows how evenly packets come. A packet's transit is the time from when its first sample was captured to its arrival. The two clocks
// have nothing to do with each other, so only differences mean something.
type arrivals struct {
	transit [arrivalWindow]float64 // seconds
	sorted  [arrivalWindow]float64
	count   int

	quickest float64 // least transit in the window
	spread   float64 // 95th percentile of how much more the others took
}

// add counts one packet in.
func (a *arrivals) add(transit float64) {
	a.transit[a.count%arrivalWindow] = transit
	a.count++
	window := a.transit[:min(a.count, arrivalWindow)]
	a.quickest = slices.Min(window)
	if a.count > 16 && a.count%8 != 0 {
		return // the percentile hardly moves from packet to packet
	}
	sorted := a.sorted[:copy(a.sorted[:], window)]
	slices.Sort(sorted)
	a.spread = sorted[len(sorted)*95/100] - a.quickest
}
