package read_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// TestAllAttachments: what is read of the attachments of one name is bounded, however many there are.
func TestAllAttachments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.mcap")
	f := recordingtest.Record(t, path, 2, 10, write.Config{})
	for _, a := range []write.Attachment{
		{Name: "x", Data: []byte(strings.Repeat("1", 1000))}, {Name: "y", Data: []byte(strings.Repeat("2", 1000))},
		{Name: "x", Data: []byte(strings.Repeat("3", 1000))}, {Name: "x", Data: []byte(strings.Repeat("4", 1000))},
	} {
		if err := f.Attach(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := read.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for most, want := range map[uint64]string{1: "1", 1900: "1", 2900: "13", 1 << 20: "134"} {
		all, err := r.AllAttachments("x", most)
		got := ""
		for _, data := range all {
			got += string(data[:1])
		}
		if err != nil || got != want {
			t.Errorf("of up to %d bytes %q is read, want %q (%v)", most, got, want, err)
		}
	}
}
