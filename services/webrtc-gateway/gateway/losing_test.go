package gateway_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Viewers whose sockets have no room for what comes lose much, ask for it, and lose that, too.

// steady is a camera of 2 Mbit/s at 30 pictures a second. Key frames have four times as many bytes as others.
type steady struct {
	tick *time.Ticker
	keys chan struct{}
	seq  int64
}

func (s *steady) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	select {
	case <-s.tick.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	bytes, key := 8333, s.seq == 0
	select {
	case <-s.keys:
		key = true
	default:
	}
	if key {
		bytes *= 4
	}
	f := fakecam.Frame(1, s.seq, key, bytes)
	f.CaptureTime = timestamppb.Now()
	s.seq++
	return f, nil
}

func (s *steady) RequestKeyFrame(context.Context) error {
	select {
	case s.keys <- struct{}{}:
	default:
	}
	return nil
}
func (s *steady) KeyFrames() tracks.KeyFrames { return tracks.KeyFrames{OnRequest: true} }
func (s *steady) Close()                      { s.tick.Stop() }

// audience is an engine with a steady camera, and viewers.
type audience struct {
	tb      testing.TB
	hub     *tracks.Hub
	engine  *rtc.Engine
	metrics *prometheus.Registry
	viewers []*watcher.Watcher
}

func newAudience(tb testing.TB) *audience {
	tb.Helper()
	a := &audience{tb: tb, metrics: prometheus.NewRegistry()}
	feed := &steady{tick: time.NewTicker(time.Second / 30), keys: make(chan struct{}, 1)}
	a.hub = tracks.NewHub(one{feed: feed}, tracks.Config{Metrics: tracks.NewMetrics(a.metrics)})
	var err error
	if a.engine, err = rtc.NewEngine(a.hub, rtc.Config{}); err != nil {
		tb.Fatal(err)
	}
	return a
}

// leave ends everything.
func (a *audience) leave() {
	_ = a.engine.Close()
	a.hub.Close()
	var closed sync.WaitGroup
	for _, w := range a.viewers {
		closed.Go(func() { _ = w.Close() })
	}
	closed.Wait()
}

// enter adds viewers, of which each datagram takes some time.
func (a *audience) enter(n int, slow time.Duration) (viewers []*watcher.Watcher) {
	a.tb.Helper()
	for range n {
		w, err := watcher.Open(watcher.Config{Videos: 1, Buffer: 1000, Slow: slow})
		if err != nil {
			a.tb.Fatal(err)
		}
		a.viewers = append(a.viewers, w)
		connect(a.tb, a.engine, w)
		viewers = append(viewers, w)
	}
	return viewers
}

// counted returns the value of a counter of the camera.
func (a *audience) counted(name string) float64 {
	a.tb.Helper()
	families, err := a.metrics.Gather()
	if err != nil {
		a.tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "waldo_gateway_"+name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	a.tb.Fatalf("there is no metric %s", name)
	return 0
}

// watch has viewers receive so many pictures each, and returns how old these were when their last packet came, in
// order.
func (a *audience) watch(viewers []*watcher.Watcher, pictures int) []time.Duration {
	a.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var ages []time.Duration
	var done sync.WaitGroup
	for _, w := range viewers {
		done.Go(func() {
			own := agesOf(ctx, w, pictures)
			mu.Lock()
			defer mu.Unlock()
			ages = append(ages, own...)
		})
	}
	done.Wait()
	if ctx.Err() != nil {
		a.tb.Fatalf("%d pictures came, of %d", len(ages), pictures*len(viewers))
	}
	slices.Sort(ages)
	return ages
}

// agesOf receives whole pictures.
func agesOf(ctx context.Context, w *watcher.Watcher, pictures int) (ages []time.Duration) {
	for w.Waiting() > 0 { // what has piled up
		_, _ = w.Packet(ctx)
	}
	id := captureTimeOf(w)
	var captured rtp.AbsCaptureTimeExtension
	for len(ages) < pictures {
		p, err := w.Packet(ctx)
		if err != nil {
			return ages
		}
		began := captured.Timestamp != 0
		if e := p.GetExtension(id); e != nil && captured.Unmarshal(e) == nil {
			began = true
		}
		if p.Marker && began {
			ages = append(ages, time.Since(captured.CaptureTime()))
			captured = rtp.AbsCaptureTimeExtension{}
		}
	}
	return ages
}

func captureTimeOf(w *watcher.Watcher) uint8 {
	for _, e := range w.PC.GetTransceivers()[0].Receiver().GetParameters().HeaderExtensions {
		if e.URI == tracks.AbsCaptureTimeURI {
			return uint8(e.ID)
		}
	}
	return 0
}

func p99(sorted []time.Duration) time.Duration { return sorted[len(sorted)*99/100] }

// TestLosersAreNoStorm: what viewers with full sockets lose does not multiply what is sent.
func TestLosersAreNoStorm(t *testing.T) {
	a := newAudience(t)
	defer a.leave()
	good := a.enter(1, 0)
	a.enter(8, 10*time.Millisecond) // 100 datagrams a second, of more than 200
	a.watch(good, 30)
	sent, again := a.counted("rtp_packets_total"), a.counted("rtp_packets_resent_total")
	a.watch(good, 150)
	sent, again = a.counted("rtp_packets_total")-sent, a.counted("rtp_packets_resent_total")-again
	t.Logf("%.0f packets were sent, and %.0f again", sent, again)
	if again == 0 || again > 0.3*sent {
		t.Errorf("%.0f packets were sent, and %.0f again", sent, again)
	}
}

// BenchmarkViewersThatLose measures how old pictures are when they have come to ten viewers: alone, beside a hundred
// others, and beside a hundred whose sockets are full; and what is sent again then for each packet.
func BenchmarkViewersThatLose(b *testing.B) {
	const many, pictures = 100, 300
	for b.Loop() {
		alone, _ := amidst(b, 0, 0, pictures)
		beside, _ := amidst(b, many, 0, pictures)
		losing, again := amidst(b, many, 10*time.Millisecond, pictures)
		b.ReportMetric(again, "again/sent")
		b.ReportMetric(ms(p99(alone)), "ms-p99-alone")
		b.ReportMetric(ms(p99(beside)), "ms-p99-beside")
		b.ReportMetric(ms(p99(losing)), "ms-p99-losing")
		b.ReportMetric(ms(losing[len(losing)/2]), "ms-p50-losing")
		b.ReportMetric(float64(p99(losing))/float64(p99(beside)), "losing/beside")
	}
}

// amidst returns how old pictures are for ten viewers among others, and what is sent again for each packet.
func amidst(b *testing.B, others int, slow time.Duration, pictures int) (ages []time.Duration, again float64) {
	b.Helper()
	a := newAudience(b)
	defer a.leave()
	good := a.enter(10, 0)
	a.enter(others, slow)
	a.watch(good, 60)
	sent, resent := a.counted("rtp_packets_total"), a.counted("rtp_packets_resent_total")
	ages = a.watch(good, pictures)
	sent, resent = a.counted("rtp_packets_total")-sent, a.counted("rtp_packets_resent_total")-resent
	return ages, resent / sent
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
