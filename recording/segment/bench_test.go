package segment_test

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/segment"
	"github.com/waldo-robot/waldo/recording/write"
)

// BenchmarkSeekInHour measures how long it takes until a piece is there, at random places of an hour of 720p30 at about
// 2 Mbit/s.
func BenchmarkSeekInHour(b *testing.B) {
	clip := recordingtest.Clip(b, "1280x720", "2", "30", "-b:v", "2M", "-maxrate", "2M", "-bufsize", "1M", "-vf",
		"noise=alls=20:allf=t")
	path := filepath.Join(b.TempDir(), "hour.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{QueueBytes: math.MaxInt})
	if err != nil {
		b.Fatal(err)
	}
	c, err := f.Add(recordingtest.Video("front"))
	if err != nil {
		b.Fatal(err)
	}
	for n := range 3600 * 30 {
		unit := clip[n%len(clip)]
		m := recordingtest.VideoMessage(n, at(n), recordingtest.H264(1280, 720), annexb.IsKeyFrame(unit), unit)
		if err := f.Write(c, m); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	r, err := read.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	s := segment.New([]*read.File{r})
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		p, err := s.Piece(context.Background(), "front", "video", rand.N(time.Hour), true)
		if err != nil || len(p.Media) == 0 {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}
