package playout

import "slices"

const arrivalWindow = 256

// arrivals knows how evenly packets come. A packet's transit is the time from when its first sample was captured to its
// arrival. The two clocks have nothing to do with each other, so only differences mean something.
type arrivals struct {
	transit [arrivalWindow]float64 // seconds, in the order of arrival
	sorted  []float64              // the same, the least first
	count   int

	quickest float64 // least transit in the window
	spread   float64 // 95th percentile of how much more the others took
}

func newArrivals() arrivals { return arrivals{sorted: make([]float64, 0, arrivalWindow)} }

// add counts one packet in.
func (a *arrivals) add(transit float64) {
	oldest := &a.transit[a.count%arrivalWindow]
	if a.count >= arrivalWindow {
		i, _ := slices.BinarySearch(a.sorted, *oldest)
		a.sorted = slices.Delete(a.sorted, i, i+1)
	}
	i, _ := slices.BinarySearch(a.sorted, transit)
	a.sorted = slices.Insert(a.sorted, i, transit)
	*oldest = transit
	a.count++
	a.quickest = a.sorted[0]
	a.spread = a.sorted[len(a.sorted)*95/100] - a.quickest
}
