package pipeline

import (
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// What passes through costs nothing; what is encoded again is said, and its cost is counted step by step.
func TestWork(t *testing.T) {
	src, frames := native(t, 5)
	r := run(t, unasked{src}, Config{})
	if w := r.Work(); len(w.Passed)+len(w.Encoded) > 0 {
		t.Errorf("without readers: %+v", w)
	}
	live := r.open(t, h264())
	for _, f := range frames[:3] {
		src.give(t, f)
		next(t, live)
	}
	if w := r.Work(); !slices.Equal(w.Passed, []string{media.H264}) || len(w.Encoded) > 0 || w.CPU != 0 {
		t.Errorf("passing through: %+v", w)
	}
	small := r.open(t, &mediav1.VideoFormat{MediaType: media.JPEG, HeightPx: 16})
	src.give(t, frames[3])
	next(t, small)
	w := r.Work()
	if !slices.Equal(w.Passed, []string{media.H264}) || !slices.Equal(w.Encoded, []string{media.JPEG}) {
		t.Errorf("with a JPEG beside it: %+v", w)
	}
	sum := 0.0
	for step, mediaType := range map[string]string{stepDecode: media.H264, stepScale: media.JPEG, stepEncode: media.JPEG} {
		spent := testutil.ToFloat64(r.metrics.cpu.WithLabelValues(step, mediaType))
		if spent <= 0 {
			t.Errorf("%s took %v s", step, spent)
		}
		sum += spent
	}
	if math.Abs(sum-w.CPU.Seconds()) > 1e-6 {
		t.Errorf("the steps took %v s, all together %v", sum, w.CPU)
	}
	if n := testutil.ToFloat64(r.metrics.decoded.WithLabelValues(media.H264)); n != 4 {
		t.Errorf("%v pictures were decoded, want the 4 since the key frame", n)
	}
	small.Close()
	if w := r.Work(); len(w.Encoded) > 0 {
		t.Errorf("after the JPEG's reader has left: %+v", w)
	}
}

// All work on pictures is within turns, which come to their ends: its end is what proves that the process does not
// hang.
func TestTurns(t *testing.T) {
	src, frames := native(t, 2)
	var begun, under atomic.Int64
	r := run(t, unasked{src}, Config{Turn: func() func() {
		begun.Add(1)
		under.Add(1)
		return func() { under.Add(-1) }
	}})
	jpeg := r.open(t, &mediav1.VideoFormat{MediaType: media.JPEG, HeightPx: 16})
	for _, f := range frames {
		src.give(t, f)
		next(t, jpeg)
	}
	jpeg.Close()
	for end := time.Now().Add(20 * time.Second); under.Load() != 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // the source returns from its last delivery
	}
	const steps = 4 // capture, decode, scale, encode
	if n := begun.Load(); n < int64(steps*len(frames)) || under.Load() != 0 {
		t.Errorf("%d turns have begun, and %d not ended", n, under.Load())
	}
}
