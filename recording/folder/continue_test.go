package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/write"
)

// TestContinue: a recording that was left behind is repaired, and goes on after its last file.
func TestContinue(t *testing.T) {
	for _, tt := range []struct {
		what     string
		make     func(t *testing.T, w *folder.Writer)
		next     int // file; 0: it cannot go on
		repaired int
		messages bool
		says     string
	}{
		{"one that was left behind", func(t *testing.T, w *folder.Writer) { leave(t, w, name(0, 1), 30, 5) }, 2, 1, true, ""},
		{"one that is complete", func(t *testing.T, w *folder.Writer) { record(t, w, name(0, 1), 0, 30) }, 2, 0, true, ""},
		{"two that were left behind", func(t *testing.T, w *folder.Writer) {
			leave(t, w, name(0, 1), 30, 5)
			leave(t, w, name(0, 2), 30, 5)
		}, 3, 2, true, ""},
		{"one and an empty one", func(t *testing.T, w *folder.Writer) {
			record(t, w, name(0, 1), 0, 30)
			leave(t, w, name(0, 2), 0, 0)
		}, 2, 1, true, ""},
		{"an empty one", func(t *testing.T, w *folder.Writer) { leave(t, w, name(0, 1), 0, 0) }, 1, 1, false, ""},
		{"nothing", func(*testing.T, *folder.Writer) {}, 0, 0, false, "gone"},
		{"one without the first", func(t *testing.T, w *folder.Writer) { record(t, w, name(0, 2), 0, 30) }, 0, 0, false,
			"first file is gone"},
		{"one that cannot be repaired", func(t *testing.T, w *folder.Writer) {
			record(t, w, name(0, 1), 0, 30)
			path := filepath.Join(w.Dir(), name(0, 2).String()+write.PartSuffix)
			if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 0, 1, false, "cannot be repaired"},
		{"one that is being written", func(t *testing.T, w *folder.Writer) {
			f, done, err := w.Create(name(0, 1), write.Head{}, write.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Abandon(); done() })
		}, 0, 0, false, "being written"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			w := own(t, t.TempDir())
			leave(t, w, name(1, 1), 30, 5) // another one, which is left alone
			tt.make(t, w)
			c, repaired, err := w.Continue(name(0, 1))
			if len(repaired) != tt.repaired {
				t.Errorf("repaired %v", repaired)
			}
			if tt.next == 0 {
				if !errors.Is(err, folder.ErrNotContinued) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%+v, %v", c, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Next.String() != name(0, tt.next).String() || (c.About.GetMessageCount() > 0) != tt.messages ||
				len(c.About.GetFiles()) != tt.next-1 {
				t.Errorf("%+v", c)
			}
			checkKept(t, w, c)
		})
	}
}

// checkKept checks that a recording that goes on is not deleted before it does, and is one with what comes.
func checkKept(t *testing.T, w *folder.Writer, c folder.Continued) {
	t.Helper()
	if _, deleted, err := w.Room(folder.Keep{Recordings: 1}); err != nil || slices.Contains(deleted, name(0, 1).String()) {
		t.Errorf("deleted %v, %v", deleted, err)
	}
	f, done, err := w.Create(c.Next, write.Head{}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c.Done()
	c.Done()
	if err := w.Delete(name(0, 1).String()); !errors.Is(err, folder.ErrOpen) {
		t.Errorf("deleted while it goes on: %v", err)
	}
	fill(t, f, 60, 70)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	done()
	if one, err := w.Find(name(0, 1).String()); err != nil || one.GetMessageCount() != c.About.GetMessageCount()+11 ||
		strings.Contains(one.GetProblem(), "missing:") {
		t.Errorf("%v, %v", one, err)
	}
	if err := w.Delete(name(0, 1).String()); err != nil {
		t.Error(err)
	}
}
