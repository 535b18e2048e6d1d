package write_test

import (
	"path/filepath"
	"testing"

	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/repair"
	"github.com/waldo-robot/waldo/recording/write"
)

// TestAttach: an attachment that comes later is in the file like one of the head, also when the file is left behind.
func TestAttach(t *testing.T) {
	for name, end := range map[string]func(*write.File) error{
		"closed": (*write.File).Close,
		"killed": func(f *write.File) error {
			f.Abandon()
			_, err := repair.File(f.Path() + write.PartSuffix)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.mcap")
			f := recordingtest.Record(t, path, 40, 1000, write.Config{ChunkBytes: 4000})
			if err := f.Attach(write.Attachment{Name: "late", MediaType: "text/plain", Data: []byte("hello")}); err != nil {
				t.Fatal(err)
			}
			if err := end(f); err != nil {
				t.Fatal(err)
			}
			r, err := read.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if data, err := r.Attachment("late"); err != nil || string(data) != "hello" {
				t.Errorf("%q, %v", data, err)
			}
			if data, err := r.Attachment("robot.yaml"); err != nil || len(data) == 0 {
				t.Errorf("%q, %v", data, err)
			}
			if err := f.Attach(write.Attachment{}); err == nil {
				t.Error("an attachment to a file that is closed")
			}
		})
	}
}
