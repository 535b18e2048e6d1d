package recorder_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

// attested returns the events with the sum of a file.
func (r *rig) attested(t *testing.T, file string) (found []audit.Event) {
	t.Helper()
	err := audit.Read(audit.Path(r.state, "rover", "recorder"), func(l audit.Line) error {
		if l.Event.What == file && l.Event.SHA256 != "" {
			found = append(found, l.Event)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

// awaitAttested waits until a file is attested as it is, once.
func (r *rig) awaitAttested(t *testing.T, file string) audit.Event {
	t.Helper()
	var found []audit.Event
	until(t, file+" is attested", func() bool { found = r.attested(t, file); return len(found) > 0 })
	data, err := os.ReadFile(filepath.Join(r.folder, file))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(data); len(found) != 1 || found[0].SHA256 != hex.EncodeToString(sum[:]) ||
		found[0].Folder != r.folder {
		t.Fatalf("%+v, want %x", found, sum)
	}
	return found[0]
}

// TestBrokenRecording: what is repaired because a recording fails is attested, although the driver's run ends then.
func TestBrokenRecording(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.Split.Time = time.Second })
	r.record(t)
	r.await(t, "it is there", idle)
	left := folder.Name{Start: recordingtest.Begin, Robot: "rover", Number: 1}.String()
	recordingtest.Record(t, filepath.Join(r.folder, left), 30, 400_000, write.Config{}).Abandon()
	q, err := r.client.StartRecording(t.Context(), &recorderv1.StartRecordingRequest{})
	if err != nil {
		t.Fatal(err)
	}
	n, _ := folder.Parse(q.GetState().GetRecording().GetName())
	if err := os.WriteFile(filepath.Join(r.folder, n.Next().String()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := r.awaitAttested(t, left); e.Kind != audit.RecordingRepaired || e.Reason != "" {
		t.Errorf("%+v", e)
	}
	if e := r.awaitAttested(t, n.String()); e.Kind != audit.RecordingFinished {
		t.Errorf("%+v", e)
	}
}

// TestAttestedLater: a file that was completed and not attested is attested at the next start, if the log shows that
// this recorder wrote it and has never told its sum.
func TestAttestedLater(t *testing.T) {
	for what, tt := range map[string]struct {
		drop  func(*audit.Event) bool // events that the log does not have
		later bool
	}{
		"killed before it was attested": {func(e *audit.Event) bool { return e.SHA256 != "" }, true},
		"attested":                      {func(*audit.Event) bool { return false }, false},
		"of somebody else":              {func(e *audit.Event) bool { return e.What != "" }, false},
		"older than the log": {func(e *audit.Event) bool {
			e.Reason = "continued: " + e.Reason // its first start is not in the log any more
			return e.SHA256 != ""
		}, false},
	} {
		t.Run(what, func(t *testing.T) {
			r := start(t, nil)
			p := r.record(t)
			r.begin(t)
			first := r.end(t).GetName()
			p.Stop()
			r.rewrite(t, tt.drop)
			before := r.attested(t, first)
			p = r.record(t)
			if tt.later {
				if e := r.awaitAttested(t, first); e.Kind != audit.RecordingRepaired ||
					!strings.HasPrefix(e.Reason, "found at a start") {
					t.Errorf("%+v", e)
				}
			}
			// A file that is repaired at the start is attested after those before it.
			p.Stop()
			left := folder.Name{Start: recordingtest.Begin, Robot: "rover", Number: 1}.String()
			recordingtest.Record(t, filepath.Join(r.folder, left), 3, 1000, write.Config{}).Abandon()
			r.record(t)
			r.awaitAttested(t, left)
			want := len(before)
			if tt.later {
				want++
			}
			if got := r.attested(t, first); len(got) != want {
				t.Errorf("%+v, want %d", got, want)
			}
		})
	}
}

// rewrite writes the log of a recorder that has ended anew, without some events.
func (r *rig) rewrite(t *testing.T, drop func(*audit.Event) bool) {
	t.Helper()
	path := audit.Path(r.state, "rover", "recorder")
	var kept []audit.Event
	err := audit.Read(path, func(l audit.Line) error {
		if !drop(&l.Event) {
			kept = append(kept, l.Event)
		}
		return nil
	})
	if err = errors.Join(err, os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	log := audit.Open(path, nil)
	for _, e := range kept {
		log.Write(e)
	}
	log.Close()
}
