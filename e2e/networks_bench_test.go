package e2e

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
	"github.com/waldo-robot/waldo/pkg/linktest"
)

// These benchmarks put a rough link between Chromium and a server. Everything of the page passes it. Waldo has a camera
// of 720p at 30 Hz, whose picture it encodes itself, and is driven all the time; mediamtx and go2rtc pull the same kind
// of picture, at 2 Mbit/s with a key frame every 2 s, from a network camera beside them. Connecting happens over a
// link that does not change and, for the others, has no limits. Then the profile begins: each server meets the same
// one, with the same seed.

// roughCamera is Waldo's.
const roughCamera = "front: {kind: camera, source: test, width: 1280, height: 720, fps: 30, bitrate: 3000000}"

// view is what somebody behind a link saw in a span of time, and what the link did.
type view struct {
	page     *harness.Page
	link     *linktest.Link
	pictures []harness.Picture
	from, to float64 // ms since 1970
	stats    linktest.Stats
}

// pause is how long after a picture the next one may be shown without being a freeze, in ms.
const pause = 200

// freezes are the pauses in a span, in ms.
func (w *view) freezes() (all []float64) {
	last := w.from
	for _, p := range append(slices.Clone(w.pictures), harness.Picture{At: w.to}) {
		if gap := p.At - last; gap > pause {
			all = append(all, gap)
		}
		last = p.At
	}
	return all
}

// ages are how old the pictures were that were shown between two moments after the beginning, in ms.
func (w *view) ages(from, to time.Duration) (ages []float64) {
	for _, p := range w.pictures {
		if at := p.At - w.from; p.Captured > 0 && at >= milliseconds(from) && at < milliseconds(to) {
			ages = append(ages, p.At-p.Captured)
		}
	}
	slices.Sort(ages)
	return ages
}

// observe watches for a while what the page shows in the element, over a link that begins anew. Meanwhile it does
// something, which ends at a time.
func observe(b *testing.B, page *harness.Page, link *linktest.Link, p linktest.Profile, span time.Duration,
	meanwhile func(until time.Time)) *view {
	b.Helper()
	w := &view{page: page, link: link}
	page.Watched(b) // what was before
	if err := link.Restart(p); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	w.from, w.to = float64(began.UnixMicro())/1000, float64(began.Add(span).UnixMicro())/1000
	meanwhile(began.Add(span))
	time.Sleep(time.Until(began.Add(span))) // the span is what is measured
	w.stats = link.FromRobot.Stats()
	for _, picture := range page.Watched(b) {
		if picture.At >= w.from && picture.At < w.to {
			w.pictures = append(w.pictures, picture)
		}
	}
	return w
}

// report reports what was seen.
func (w *view) report(b *testing.B, span time.Duration) {
	b.Helper()
	if ages := w.ages(0, span); len(ages) > 0 {
		b.ReportMetric(harness.Quantile(ages, 0.5), "shown-p50-ms")
		b.ReportMetric(harness.Quantile(ages, 0.99), "shown-p99-ms")
	}
	freezes, frozen := w.freezes(), 0.0
	for _, f := range freezes {
		frozen += f / 1000
	}
	b.ReportMetric(float64(len(w.pictures))/span.Seconds(), "shown/s")
	b.ReportMetric(float64(len(freezes)), "freezes")
	b.ReportMetric(frozen, "frozen-s")
	b.ReportMetric(100*w.stats.Share(0, int(span/time.Second)), "link-%")
	b.ReportMetric(100*float64(w.stats.Overflowed.Packets)/float64(w.stats.Offered.Packets), "overflowed-%")
	b.ReportMetric(milliseconds(w.stats.Late.Quantile(0.99)), "late-p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNetworks compares over every profile how old pictures are when they are shown, how often and how long they
// freeze, how much of the link is used, and how old commands are when they are on the serial wire.
func BenchmarkNetworks(b *testing.B) {
	span := time.Duration(short(20, 10)) * time.Second
	for _, p := range linktest.Profiles() {
		b.Run(p.Name, func(b *testing.B) {
			b.Run("waldo", func(b *testing.B) {
				r := startRough(b, roughCamera, p, networkSeed)
				w := r.watch(b, p, span)
				w.report(b, span)
				if testing.Verbose() {
					w.log(b, span)
				}
			})
			b.Run("mediamtx", func(b *testing.B) { watchOther(b, startMediamtx, p, span).report(b, span) })
			b.Run("go2rtc", func(b *testing.B) { watchOther(b, startGo2rtc, p, span).report(b, span) })
		})
	}
}

// networkSeed is that of the links.
const networkSeed = 1

// watch drives and watches over a link that begins anew.
func (r *rough) watch(b *testing.B, p linktest.Profile, span time.Duration) *view {
	b.Helper()
	r.goFull(b, byKey)
	r.page.Watch(b, `[data-device="front"] video`)
	r.sight.WaitFrames(b, 60)
	harness.Eval[any](b, r.page, `(() => {
	  window.keys = [];
	  for (const type of ['keydown', 'keyup']) addEventListener(type, (e) => keys.push(performance.timeOrigin + e.timeStamp), { capture: true });
	})()`)
	sent, again := r.gatewayMetric(b, "rtp_packets_total"), r.gatewayMetric(b, "rtp_packets_resent_total")
	var ages []float64
	var over int
	w := observe(b, r.page, r.link, p, span, func(until time.Time) { ages, over = r.steer(b, until) })
	sent, again = r.gatewayMetric(b, "rtp_packets_total")-sent, r.gatewayMetric(b, "rtp_packets_resent_total")-again
	if len(ages) > 0 {
		harness.Report(b, "command", "ms", ages)
	}
	b.ReportMetric(float64(over), "drives-ended")
	b.ReportMetric(again/sent, "again/sent")
	return w
}

// steer presses and releases a key until a time. It returns how long after each event the command was on the wire, in
// ms, and how often the drive was over, because of the network.
func (r *rough) steer(b *testing.B, until time.Time) (ages []float64, over int) {
	b.Helper()
	for i := 0; time.Now().Before(until); i++ {
		if state, _ := driving(b, r.page); state == "off" {
			over++
			byKey.rest(b, r.page)
			if harness.Eval[bool](b, r.page, "waldo.robot.state === 'live'") {
				r.page.Click(b, "#drive-button")
			}
		}
		began := time.Now()
		if i%2 == 0 {
			byKey.push(b, r.page)
		} else {
			byKey.rest(b, r.page)
		}
		if arrived, ok := r.arrives(began, i%2 == 0); ok {
			event := harness.Eval[float64](b, r.page, "keys.at(-1)")
			ages = append(ages, float64(arrived.UnixNano())/1e6-event)
		}
	}
	return ages, over
}

// arrives waits, for a while, for the first command after a moment that moves at full speed, or stands still.
func (r *rough) arrives(since time.Time, moves bool) (at time.Time, ok bool) {
	for time.Since(since) < 1500*time.Millisecond {
		for _, m := range r.wire.Motions(since) {
			if moves && full(m) || !moves && !m.Moves() {
				return m.At, true
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return at, false
}

// watchOther watches another server.
func watchOther(b *testing.B, start func(*testing.B, *liveCamera, int) *relay, p linktest.Profile,
	span time.Duration) *view {
	b.Helper()
	n := internet.Start(b, internet.Config{})
	server := start(b, startLiveCameraAt(b, site{n.Server()}), 1)
	viewer := n.Host(b)
	link := viewer.JoinOver(b, n, roomy(p), networkSeed)
	player := harness.StartBrowser(b, harness.OnHost(b, viewer)).OpenPlayer(b, server.page)
	player.AwaitStream(b, server.whep(0))
	page := player.Show(b, server.whep(0))
	page.Watch(b, "#shown")
	page.Until(b, "watched.length > 60")
	return observe(b, page, link, p, span, func(time.Time) {})
}

// roomy is a profile without limits and losses: a server that sends too much for it could not even begin.
func roomy(p linktest.Profile) linktest.Profile {
	for _, s := range []*linktest.Shape{&p.FromRobot, &p.ToRobot} {
		s.Rate, s.Every, s.Loss, s.Stalls = nil, 0, linktest.Loss{}, linktest.Stalls{}
	}
	return p
}

// BenchmarkNetworksStep lets the rate of the link fall from 3 to 0.5 Mbit/s for 15 s, and come back, with two queues
// and three seeds. It prints the age of pictures, what was dropped, and how much of the link was used, for each second.
func BenchmarkNetworksStep(b *testing.B) {
	const down, back, span = 5 * time.Second, 20 * time.Second, 35 * time.Second
	for _, queue := range []int{64 << 10, 24 << 10} {
		for seed := range uint64(3) {
			b.Run(fmt.Sprintf("queue of %d KB, seed %d", queue>>10, seed), func(b *testing.B) {
				r := startRough(b, roughCamera, linktest.StepDown(queue, down, back), seed)
				w := r.watch(b, linktest.StepDown(queue, down, back), span)
				w.log(b, span)
				again := 0.0 // worst second, from 2 s after the step
				for at := down + 2*time.Second; at < back; at += time.Second {
					if ages := w.ages(at, at+time.Second); len(ages) > 0 {
						again = max(again, harness.Quantile(ages, 0.5))
					}
				}
				b.ReportMetric(again, "2-s-after-ms")
				b.ReportMetric(slices.Max(append(w.freezes(), 0)), "longest-gap-ms")
				b.ReportMetric(float64(w.stats.Overflowed.Packets), "overflowed")
				b.ReportMetric(100*w.stats.Share(int((back+10*time.Second)/time.Second), int(span/time.Second)),
					"link-10-s-after-%")
				w.report(b, span)
			})
		}
	}
}

// log prints each second.
func (w *view) log(b *testing.B, span time.Duration) {
	b.Helper()
	var table strings.Builder
	for second := range int(span / time.Second) {
		at := time.Duration(second) * time.Second
		ages, median, most := w.ages(at, at+time.Second), math.NaN(), math.NaN()
		if len(ages) > 0 {
			median, most = harness.Quantile(ages, 0.5), ages[len(ages)-1]
		}
		of := w.stats.Seconds[min(second, len(w.stats.Seconds)-1)]
		fmt.Fprintf(&table, "\n%2d s: %2d shown, age %4.0f ms, at most %4.0f; waited %4.0f ms, %3d overflowed, %3d lost, "+
			"%3.0f %% of %4.0f kbit/s", second, len(ages), median, most, milliseconds(of.Waited), of.Dropped, of.Lost,
			100*float64(of.Arrived)/float64(max(of.Capacity, 1)), float64(of.Capacity)*8/1000)
	}
	b.Log(table.String())
}
