package read_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// hour writes an hour of four cameras with small pictures, in as many chunks as an hour of large ones has.
func hour(b *testing.B) (path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "hour.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{ChunkBytes: 24 << 10, QueueBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	var videos []write.Channel
	for _, name := range []string{"front", "a", "b", "c"} {
		videos = append(videos, recordingtest.Add(b, f, recordingtest.Video(name)))
	}
	for n := range 3600 * 30 {
		m := recordingtest.Picture(n, 300)
		for _, v := range videos {
			if err := f.Write(v, m); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil || f.Lost() > 0 {
		b.Fatal(err, f.Lost())
	}
	return path
}

// BenchmarkRecordSeek opens an hour of four cameras, and goes to random places in it: to the first picture from the key
// frame before.
func BenchmarkRecordSeek(b *testing.B) {
	path := hour(b)
	f, err := read.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			f, err := read.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			_ = f.Close() // it was read only
		}
	})
	random := rand.New(rand.NewPCG(1, 2))
	b.Run("seek", func(b *testing.B) {
		for b.Loop() {
			at := recordingtest.Begin.Add(time.Duration(random.Int64N(int64(time.Hour - time.Second))))
			key, ok := f.KeyFrame(f.Channels()[0], at, isKey)
			if !ok || at.Sub(key) > time.Second {
				b.Fatalf("key frame at %v for %v", key, at)
			}
			if m, err := f.Messages(read.Query{From: key, Channels: onlyVideo}).Next(); err != nil || !m.Logged.Equal(key) {
				b.Fatalf("%v, %v", m.Logged, err)
			}
		}
	})
}
