package capture

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var standard = pcm.Format{Rate: 48000, Channels: 1}

// hand is a microphone in the hands of the test.
type hand struct {
	blocks  chan []float32
	running atomic.Bool
	failed  chan error
}

func newHand() *hand { return &hand{blocks: make(chan []float32), failed: make(chan error)} }

// Capture implements card.Microphone.
func (h *hand) Capture(ctx context.Context, take func([]float32, time.Time)) error {
	h.running.Store(true)
	defer h.running.Store(false)
	for {
		select {
		case b := <-h.blocks:
			take(b, time.Now())
		case err := <-h.failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// rig is a pipeline with such a microphone, in a bubble of package synctest.
type rig struct {
	*Pipeline
	t        *testing.T
	registry *prometheus.Registry
	mic      *hand
	frames   int // said so far
	ended    chan error
	cancel   func()
}

// inBubble runs a test on a pipeline.
func inBubble(t *testing.T, config Config, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, registry: prometheus.NewRegistry()}
		config.Epoch, config.Tap, config.Metrics = 7, "microphone", NewMetrics(r.registry)
		if config.Format == (pcm.Format{}) {
			config.Format = standard
		}
		r.Pipeline = New(config)
		r.plug()
		test(r)
		_ = r.unplug() // tested elsewhere
		r.Close()
	})
}

// plug gives the pipeline a new microphone.
func (r *rig) plug() {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.mic, r.ended, r.cancel = newHand(), make(chan error, 1), cancel
	go func() { r.ended <- r.Run(ctx, r.mic) }()
	synctest.Wait()
}

// unplug takes it away, and returns what Run ended with.
func (r *rig) unplug() error {
	r.cancel()
	return <-r.ended
}

// fail has the microphone fail, and checks that Run ends with that.
func (r *rig) fail() {
	r.t.Helper()
	broken := errors.New("broken")
	r.mic.failed <- broken
	if err := <-r.ended; !errors.Is(err, broken) {
		r.t.Errorf("Run ended with %v, want the microphone's error", err)
	}
}

// say captures 10 ms of a tone of 1000 Hz at -12 dBFS, so many times.
func (r *rig) say(blocks int) {
	f := r.config.Format
	for range blocks {
		samples := make([]float32, f.Frames(10*time.Millisecond)*f.Channels)
		for i := range samples {
			samples[i] = float32(0.25 * math.Sin(2*math.Pi*1000*float64(r.frames+i/f.Channels)/float64(f.Rate)))
		}
		r.frames += len(samples) / f.Channels
		time.Sleep(10 * time.Millisecond)
		r.sayThis(samples)
	}
}

func (r *rig) sayThis(samples []float32) {
	r.mic.blocks <- samples
	synctest.Wait()
}

// listen opens a reader.
func (r *rig) listen(format *mediav1.AudioFormat, block int) *Reader {
	r.t.Helper()
	reader, err := r.Open(format, block)
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	return reader
}

// waiting takes all frames that wait for a reader.
func (r *rig) waiting(reader *Reader) (frames []*mediav1.AudioFrame) {
	r.t.Helper()
	for {
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Nanosecond)
		f, err := reader.Next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return frames
		}
		if err != nil {
			r.t.Fatal(err)
		}
		frames = append(frames, f)
	}
}

// metric is the value of a counter, or the count of a histogram, with labels in the order of their names.
func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	return value(r.t, r.registry, name, labels...)
}

func value(tb testing.TB, registry *prometheus.Registry, name string, labels ...string) float64 {
	tb.Helper()
	families, err := registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			matches := family.GetName() == name && len(m.GetLabel()) == len(labels)
			for i, l := range m.GetLabel() {
				matches = matches && l.GetValue() == labels[i]
			}
			if matches {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	tb.Fatalf("there is no metric %s with %v", name, labels)
	return 0
}
