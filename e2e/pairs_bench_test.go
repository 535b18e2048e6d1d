package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/peer"
)

// inPairs measures with and without something, in pairs of short turns that follow one another, so that what changes
// slowly on the machine is the same for both turns of a pair. Every other pair has the other order, so that what
// changes steadily favours neither. It reports, of the medians of the turns:
//
//   - ratio: with to without, the median of all pairs, and the interval in which it lies with a confidence of 95 %. If the
//     interval is above 1, it costs something.
//   - alike: the same of two turns of one kind that follow one another (the later to the earlier one). It tells what chance
//     does.
func inPairs(b *testing.B, number int, set func(on bool), measure func() []float64) {
	b.Helper()
	all, before, beforeOn := map[bool][]float64{}, 0.0, false
	var ratios, alike []float64
	for pair := range number {
		first := pair%2 == 1
		medians := map[bool]float64{}
		for _, on := range []bool{first, !first} {
			set(on)
			samples := measure()
			if len(samples) == 0 {
				b.Fatalf("turn of pair %d: nothing was measured", pair)
			}
			all[on] = append(all[on], samples...)
			slices.Sort(samples)
			medians[on] = harness.Quantile(samples, 0.5)
			if before > 0 && on == beforeOn {
				alike = append(alike, medians[on]/before)
			}
			before, beforeOn = medians[on], on
		}
		ratios = append(ratios, medians[true]/medians[false])
	}
	set(false)
	harness.Report(b, "without", "ms", all[false])
	harness.Report(b, "with", "ms", all[true])
	b.ReportMetric(harness.Quantile(all[true], 0.99)/harness.Quantile(all[false], 0.99), "ratio-p99")
	reportMedian(b, "ratio-p50", ratios)
	reportMedian(b, "alike-p50", alike)
	b.ReportMetric(0, "ns/op")
}

// reportMedian reports the median and its interval.
func reportMedian(b *testing.B, name string, samples []float64) {
	b.Helper()
	slices.Sort(samples)
	low, median, high := harness.Median(samples)
	b.Logf("%s %.3f (95 %%: %.3f to %.3f) of %.3f", name, median, low, high, samples)
	b.ReportMetric(low, name+"-low")
	b.ReportMetric(median, name)
	b.ReportMetric(high, name+"-high")
}

// toggle calls start and stop when what is wanted changes.
func toggle(start, stop func()) func(on bool) {
	is := false
	return func(on bool) {
		switch {
		case on == is:
		case on:
			start()
		default:
			stop()
		}
		is = on
	}
}

// BenchmarkRecordViewers measures how long pictures take from their capture to a viewer, with and without a recorder
// that records, in [inPairs].
func BenchmarkRecordViewers(b *testing.B) {
	r := startRecordRig(b)
	viewer, err := peer.Dial(b.Context(), r.robot.URL+"/", peer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(viewer.Close)
	var mu sync.Mutex
	var ages []float64
	ctx, cancel := context.WithCancel(b.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	for n := range recordedCameras {
		watching.Go(func() {
			for f, err := range viewer.Camera(fmt.Sprintf("camera%d", n)).Frames(ctx, 8) {
				if err != nil {
					continue
				}
				mu.Lock()
				ages = append(ages, time.Since(f.GetCaptureTime().AsTime()).Seconds()*1000)
				mu.Unlock()
			}
		})
	}
	take := func() []float64 {
		mu.Lock()
		defer mu.Unlock()
		taken := ages
		ages = nil
		return taken
	}
	inPairs(b, short(64, 8), toggle(func() { r.start(b) }, func() { r.stop(b) }), func() []float64 {
		time.Sleep(700 * time.Millisecond) // until it has settled
		take()
		time.Sleep(1500 * time.Millisecond)
		return take()
	})
}

// BenchmarkRecordShown measures in Chromium how old a picture of a network camera is when it is shown, with and without
// a recorder that records four of them, in [inPairs]. The player stays connected.
func BenchmarkRecordShown(b *testing.B) {
	waldo := startWaldoArchivist(b, startLiveCamera(b))
	player := harness.StartBrowser(b).OpenPlayer(b, waldo.page)
	player.AwaitStream(b, waldo.whep(0))
	player.Show(b, waldo.whep(0))
	player.Age(b, 150, 1)
	inPairs(b, short(64, 8), toggle(func() { waldo.record(true) }, func() { waldo.record(false) }), func() []float64 {
		return player.Age(b, 20, 45)
	})
}
