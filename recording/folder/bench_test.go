package folder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// BenchmarkRecordList lists a folder with 100 recordings of an hour each, for the first time and again.
func BenchmarkRecordList(b *testing.B) {
	path := b.TempDir()
	f, err := write.Create(filepath.Join(path, name(0, 1).String()), write.Head{},
		write.Config{ChunkBytes: 6 << 10, QueueBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	video := recordingtest.Add(b, f, recordingtest.Video("front"))
	for n := range 3600 * 30 {
		if err := f.Write(video, recordingtest.Picture(n, 300)); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil || f.Lost() > 0 {
		b.Fatal(err, f.Lost())
	}
	for n := 1; n < 100; n++ {
		if err := os.Link(f.Path(), filepath.Join(path, name(n, 1).String())); err != nil {
			b.Fatal(err)
		}
	}
	list := func(b *testing.B, of *folder.Folder) {
		b.Helper()
		if all, err := of.List(); err != nil || len(all) != 100 || all[0].GetProblem() != "" {
			b.Fatal(fmt.Sprint(len(all)), err)
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			list(b, folder.New(path))
		}
	})
	b.Run("again", func(b *testing.B) {
		known := folder.New(path)
		list(b, known)
		for b.Loop() {
			list(b, known)
		}
	})
}
