package camera

import (
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/pipeline"
	"github.com/waldo-robot/waldo/video/source"
)

func TestWords(t *testing.T) {
	main := map[string]string{"profile": "Main 4.0"}
	list := func(types ...string) []string { return types }
	for want, tt := range map[string]struct {
		own             string
		attributes      map[string]string
		passed, encoded []string
		percent         float64
	}{
		"":                                  {own: media.H264},
		"passed through (H.265 Main 4.0)":   {media.H265, main, list(media.H265), nil, 3},
		"passed through (JPEG)":             {media.JPEG, nil, list(media.JPEG), nil, 0},
		"encoded again from H.265 Main 4.0": {media.H265, main, nil, list(media.H264), 0},
		"encoded again from H.265 Main 4.0: 12 % of a core": {media.H265, main, nil,
			list(media.H264), 12.4},
		"encoded again from MPEG-4: under 1 % of a core": {media.MPEG4, nil, nil,
			list(media.VP8), 0.3},
		"encoded from raw pictures: 130 % of a core": {media.Raw, nil, nil,
			list(media.H264, media.VP8), 130},
		"passed through (H.265 Main 4.0), and encoded again as H.264: 12 % of a core": {media.H265, main, list(media.H265),
			list(media.H264), 12},
		"passed through (H.264), and encoded again as JPEG and VP8: under 1 % of a core": {media.H264, nil, list(media.H264),
			list(media.JPEG, media.VP8), 0.9},
	} {
		info := source.Info{Current: &mediav1.VideoFormat{MediaType: tt.own}, Attributes: tt.attributes}
		if got := words(info, pipeline.Work{Passed: tt.passed, Encoded: tt.encoded}, tt.percent); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A share is that of a whole interval of the same work, and does not flicker.
func TestMeter(t *testing.T) {
	var m meter
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	cpu := time.Duration(0)
	for i, step := range []struct {
		encoded string
		spent   time.Duration // in the last 2 s
		want    float64
	}{
		{"", 0, 0}, {"", 0, 0},
		{media.H264, 100 * time.Millisecond, 0}, // it began in between
		{media.H264, 240 * time.Millisecond, 12},
		{media.H264, 250 * time.Millisecond, 12}, // 12.5: not worth a word
		{media.H264, 220 * time.Millisecond, 12},
		{media.H264, 300 * time.Millisecond, 15},
		{media.H264, 20 * time.Millisecond, 1},
		{media.H264, 24 * time.Millisecond, 1},
		{media.VP8, time.Second, 0}, // other work
		{media.VP8, 2600 * time.Millisecond, 130},
		{media.VP8, 2500 * time.Millisecond, 130},
		{"", time.Second, 0},
	} {
		at, cpu = at.Add(tellEvery), cpu+step.spent
		w := pipeline.Work{CPU: cpu}
		if step.encoded != "" {
			w.Encoded = []string{step.encoded}
		}
		if got := m.read(w, at); got < step.want-1e-9 || got > step.want+1e-9 {
			t.Errorf("step %d: %v %%, want %v", i, got, step.want)
		}
	}
}
