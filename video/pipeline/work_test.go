package pipeline

import (
	"math"
	"slices"
	"testing"

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
