package attest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	first  = "2026-11-30T07-10-00.000Z_rover_001.mcap"
	second = "2026-11-30T07-10-00.000Z_rover_002.mcap"
	old    = "2026-11-29T07-10-00.000Z_rover_001.mcap"
	older  = "2026-11-29T07-10-00.000Z_rover_002.mcap" // of the same recording
)

// rig is a folder of state with logs, and a folder of recordings that they tell of.
type rig struct {
	t              *testing.T
	state, folder  string
	motors, writer audit.Name
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, state: t.TempDir(), folder: t.TempDir(), motors: audit.Name{Robot: "rover", Process: "motors"},
		writer: audit.Name{Robot: "rover", Process: "recorder"}}
	motors := audit.Open(r.motors.Path(r.state), nil)
	motors.Write(audit.Event{Kind: audit.Started})
	motors.Write(audit.Event{Kind: audit.LeaseAcquired, Who: "anna", What: "7/1"})
	motors.Close()
	recorder := audit.Open(r.writer.Path(r.state), nil)
	for _, name := range []string{old, older, first, second} {
		hash := r.record(name, motors.Head())
		recorder.Write(audit.Event{Kind: audit.RecordingFinished, Device: "recorder", What: name, SHA256: hash})
	}
	recorder.Write(audit.Event{Kind: audit.RecordingDeleted, Device: "recorder", What: old})
	recorder.Write(audit.Event{Kind: audit.RecordingStopped, Device: "recorder", What: first})
	recorder.Close()
	if err := errors.Join(os.Remove(r.path(old)), os.Remove(r.path(older))); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.folder, name) }

// record makes a recording with a state that has the head of a log, and returns its hash.
func (r *rig) record(name string, head audit.Head) string {
	r.t.Helper()
	f := recordingtest.Record(r.t, r.path(name), 3, 100, write.Config{})
	state := recordingtest.Add(r.t, f, recordingtest.State("motors"))
	data, err := proto.Marshal(&devicev1.Device{Robot: "rover", Name: "motors", AuditHead: head.String()})
	if err == nil {
		err = f.Write(state, write.Message{Logged: recordingtest.Begin.Add(time.Second), Data: data})
	}
	if err = errors.Join(err, f.Close()); err != nil {
		r.t.Fatal(err)
	}
	hash, err := sum(r.t.Context(), r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	return hash
}

func (r *rig) check(heads map[audit.Name][]audit.Head) *Result {
	r.t.Helper()
	got, err := Check(r.t.Context(), Config{State: r.state, Folders: []string{r.folder}, Heads: heads})
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// change changes a byte in the middle of a file.
func change(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cutLastLine(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	if err := os.WriteFile(path, []byte(strings.Join(lines[:len(lines)-2], "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCheck: what was altered is found and named, and what was not is not.
func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		alter   func(t *testing.T, r *rig)
		altered bool
		file    Verdict // of the first file
		second  Verdict
		text    string // in what is said of a log
	}{
		"nothing":             {func(*testing.T, *rig) {}, false, Attested, Attested, ""},
		"a picture":           {func(t *testing.T, r *rig) { change(t, r.path(first)) }, true, Changed, Attested, ""},
		"a recording removed": {func(_ *testing.T, r *rig) { _ = os.Remove(r.path(second)) }, true, Attested, Gone, ""},
		"a recording cut": {func(_ *testing.T, r *rig) { _ = os.Truncate(r.path(second), 500) }, true, Attested, Changed,
			""},
		"a recording replaced by another": {func(_ *testing.T, r *rig) {
			data, _ := os.ReadFile(r.path(first))
			_ = os.WriteFile(r.path(second), data, 0o600)
		}, true, Attested, Changed, ""},
		"a recording left open": {func(_ *testing.T, r *rig) {
			_ = os.Rename(r.path(first), r.path(first)+write.PartSuffix)
		}, false, Incomplete, Attested, ""},
		"the end of a log cut off": {func(t *testing.T, r *rig) { cutLastLine(t, r.motors.Path(r.state)) }, true, Attested,
			Attested, "a witness saw event 1, and the log ends with event 0"},
		"a log exchanged with that of another robot": {func(t *testing.T, r *rig) {
			other := newRig(t)
			_ = os.Rename(other.motors.Path(other.state), r.motors.Path(r.state))
		}, true, Attested, Attested, "event 1 was another one when a witness saw it"},
		"a log replaced by no events": {func(_ *testing.T, r *rig) {
			_ = os.WriteFile(r.motors.Path(r.state), []byte("\x00\xff\n\x80"), 0o600)
		}, true, Attested, Attested, "a witness saw event 1, and the log is empty"},
		"a log removed": {func(_ *testing.T, r *rig) { _ = os.Remove(r.motors.Path(r.state)) }, true, Attested, Attested,
			"the log is gone"},
		"all logs removed": {func(_ *testing.T, r *rig) { _ = os.RemoveAll(filepath.Join(r.state, "audit")) }, true, Unknown,
			Unknown, "the log is gone"},
		"all logs of one robot removed": {func(_ *testing.T, r *rig) {
			other := audit.Open(audit.Path(r.state, "other", "motors"), nil)
			other.Write(audit.Event{Kind: audit.Started})
			other.Close()
			_ = os.RemoveAll(filepath.Join(r.state, "audit", "rover"))
		}, true, Unknown, Unknown, "the log is gone"},
		"the log of the recorder removed": {func(_ *testing.T, r *rig) { _ = os.Remove(r.writer.Path(r.state)) }, false,
			Unknown, Unknown, ""},
		"an event changed": {func(t *testing.T, r *rig) {
			path := r.motors.Path(r.state)
			data, _ := os.ReadFile(path)
			_ = os.WriteFile(path, []byte(strings.Replace(string(data), "anna", "ben", 1)), 0o600)
		}, true, Attested, Attested, "another one when a witness saw it"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tt.alter(t, r)
			got := r.check(nil)
			if got.Altered() != tt.altered || len(got.Files) != 2 || got.Files[0].Verdict != tt.file ||
				got.Files[1].Verdict != tt.second {
				t.Errorf("%+v", got)
			}
			found := false
			for _, l := range got.Logs {
				for _, f := range l.Found {
					found = found || l.Name == r.motors && strings.Contains(f.Text, tt.text)
				}
			}
			if found != (tt.text != "") {
				t.Errorf("%+v", got.Logs)
			}
		})
	}
}

// TestKeptHeads: heads that were kept elsewhere attest logs that no recording attests.
func TestKeptHeads(t *testing.T) {
	r := newRig(t)
	kept := map[audit.Name][]audit.Head{}
	for _, l := range r.check(nil).Logs {
		kept[l.Name] = append(kept[l.Name], l.Last.Head())
	}
	if got := r.check(kept); got.Altered() || len(got.Logs) != 2 {
		t.Errorf("%+v", got.Logs)
	}
	cutLastLine(t, r.writer.Path(r.state))
	if got := r.check(nil); got.Altered() {
		t.Errorf("nobody can tell that this end is missing: %+v", got)
	}
	if got := r.check(kept); !got.Altered() {
		t.Errorf("%+v", got.Logs)
	}
	if err := os.RemoveAll(filepath.Join(r.state, "audit")); err != nil {
		t.Fatal(err)
	}
	if got := r.check(kept); len(got.Logs) != 2 || !got.Logs[0].Altered() || !got.Logs[1].Altered() {
		t.Errorf("all logs are gone: %+v", got.Logs)
	}
}

func TestCheckFails(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, Config{State: r.state, Folders: []string{r.folder}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Check(t.Context(),
		Config{State: r.state, Folders: []string{filepath.Join(r.folder, "none")}}); err == nil {
		t.Error("a folder that is not there was checked")
	}
	if err := os.WriteFile(r.path("x.mcap"), []byte("no recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := r.check(nil); got.Altered() || len(got.Files) != 3 || got.Files[2].Verdict != Unknown {
		t.Errorf("%+v", got.Files)
	}
}
