package source

import (
	"testing"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

func TestGap(t *testing.T) {
	h264, jpeg := &mediav1.VideoFormat{MediaType: media.H264}, &mediav1.VideoFormat{MediaType: media.JPEG}
	var g Gap
	for i, step := range []struct {
		format *mediav1.VideoFormat
		key    bool
		lost   uint64 // by the queue, so far
		skip   bool
		want   int // lost before the frame; -1: it is left out
	}{
		{h264, true, 0, false, 0}, {h264, false, 0, false, 0},
		{h264, false, 2, false, -1}, {h264, false, 2, false, -1}, {h264, true, 2, false, 4},
		{h264, false, 2, true, -1}, {h264, false, 2, false, -1}, {h264, true, 2, false, 2}, {h264, false, 2, false, 0},
		{jpeg, true, 3, false, 1}, {jpeg, true, 3, true, -1}, {jpeg, true, 3, false, 1},
	} {
		f := Frame{Format: step.format, Key: step.key}
		if step.skip {
			g.Skip(f)
			continue
		}
		if f, ok := g.Close(f, step.lost); ok != (step.want >= 0) || ok && f.Lost != step.want {
			t.Errorf("step %d: %v, %d lost", i, ok, f.Lost)
		}
	}
}
