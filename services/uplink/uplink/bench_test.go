package uplink_test

import (
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
)

// BenchmarkFullLink calls a device from the hub and reads its camera there while the link, 1 Mbit/s with a queue of
// 0.8 s, is offered 2 Mbit/s of video: by a camera that does not obey limits, and by one that does. Before that it calls
// the device while nobody watches. It reports milliseconds; the times of pictures are from the camera to the reader.
func BenchmarkFullLink(b *testing.B) {
	for name, deaf := range map[string]bool{"deaf": true, "obeys": false} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				benchFullLink(b, &camera{size: 8000, interval: 33 * time.Millisecond, deaf: deaf})
			}
		})
	}
}

func benchFullLink(b *testing.B, c *camera) {
	b.Helper()
	l := newLine(b, 125_000, 70)
	r := start(b, c, l)
	cloud := r.hub.Cloud(b)
	seen := frames(b, cloud)
	hubtest.Await(b, "the device answers", func() bool { return ask(b.Context(), cloud) == nil })
	idle, _ := watch(b, cloud, seen, 5*time.Second)
	hold := cloud.Hold(front, "video", "bench")
	defer hold.Close()
	if _, err := seen.Next(b.Context()); err != nil {
		b.Fatal(err)
	}
	before := l.up.Load()
	const span = 20 * time.Second
	calls, pictures := watch(b, cloud, seen, span)
	for _, m := range []struct {
		name string
		took []time.Duration
	}{{"idle-call", idle}, {"call", calls}, {"picture", pictures}} {
		b.ReportMetric(float64(m.took[len(m.took)/2])/1e6, m.name+"-p50-ms")
		b.ReportMetric(float64(m.took[len(m.took)*99/100])/1e6, m.name+"-p99-ms")
	}
	b.ReportMetric(float64(len(pictures))/span.Seconds(), "pictures/s")
	b.ReportMetric(float64(l.up.Load()-before)*8/1000/span.Seconds(), "kbit/s")
}
