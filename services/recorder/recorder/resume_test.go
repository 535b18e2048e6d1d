package recorder_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

// noteFile is where a recorder notes what it records.
const noteFile = ".waldo-recorder.json"

// crash has the folder as after a crash of the recorder. A process of the test cannot be killed, so what it had written
// so far, its note included, is put back after it has ended.
func (r *rig) crash(t *testing.T, stop func()) {
	t.Helper()
	all, err := os.ReadDir(r.folder)
	if err != nil {
		t.Fatal(err)
	}
	before := map[string][]byte{}
	for _, one := range all {
		data, err := os.ReadFile(filepath.Join(r.folder, one.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was a note that replaces the other
		}
		if err != nil {
			t.Fatal(err)
		}
		before[one.Name()] = data
	}
	stop()
	r.clear(t)
	for name, data := range before {
		if err := os.WriteFile(filepath.Join(r.folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// clear removes all files of the folder.
func (r *rig) clear(t *testing.T) {
	t.Helper()
	for _, name := range r.files(t, "") {
		if err := os.Remove(filepath.Join(r.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// written waits until some messages of what is recorded are on the disk.
func (r *rig) written(t *testing.T, name string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		one, err := folder.New(r.folder).Find(name)
		if err == nil && one.GetMessageCount() > 100 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v, %v", one, err)
		}
	}
}

// note changes the note of a recorder that has ended.
func (r *rig) note(t *testing.T, change func(map[string]any)) {
	t.Helper()
	path := filepath.Join(r.folder, noteFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]any{}
	if err := json.Unmarshal(data, &n); err != nil {
		t.Fatal(err)
	}
	change(n)
	if data, err = json.Marshal(n); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// counted waits until it is noted how many crashes in a row there were, if one comes now. Messages are counted before
// that.
func (r *rig) counted(t *testing.T, crashes int) {
	t.Helper()
	until(t, "the crash is counted", func() bool {
		var n struct{ Crashes int }
		data, err := os.ReadFile(filepath.Join(r.folder, noteFile))
		return err == nil && json.Unmarshal(data, &n) == nil && n.Crashes == crashes
	})
}

// TestResume: after a crash the same recording goes on in another file, with its marks and its length, and nothing
// twice; and after a restart. One that was stopped does not.
func TestResume(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.Preroll = 5 * time.Second })
	p := r.record(t)
	first := r.begin(t).GetRecording()
	if _, err := r.client.AddMark(t.Context(), &recorderv1.AddMarkRequest{Text: "a stone", By: "anna"}); err != nil {
		t.Fatal(err)
	}
	r.more(t, 300)
	r.written(t, first.GetName())
	r.crash(t, p.Stop)
	p = r.record(t)
	again := r.more(t, 100).GetRecording()
	if again.GetName() != first.GetName() || len(again.GetFiles()) != 2 ||
		!again.GetStartTime().AsTime().Equal(first.GetStartTime().AsTime()) ||
		again.GetMessageCount() < 200 || again.GetDuration().AsDuration() < first.GetDuration().AsDuration() {
		t.Errorf("%v, want it to go on with %v", again, first)
	}
	if m := again.GetMarks(); len(m) != 1 || m[0].GetText() != "a stone" {
		t.Errorf("marks: %v", m)
	}
	p.Stop()
	p = r.record(t)
	if s := r.more(t, 100); s.GetRecording().GetName() != first.GetName() || s.GetStartedBy() != "test" {
		t.Errorf("after a restart: %v", s)
	}
	one := r.end(t)
	if len(one.GetFiles()) != 3 || !slices.Equal(one.GetDevices(), []string{"front", "recorder"}) {
		t.Errorf("%v", one)
	}
	r.checkOnce(t, one)
	list, err := r.client.ListRecordings(t.Context(), &recorderv1.ListRecordingsRequest{})
	if err != nil || len(list.GetRecordings()) != 1 || list.GetRecordings()[0].GetMessageCount() != one.GetMessageCount() {
		t.Errorf("listed %v, %v, want %v", list, err, one)
	}
	p.Stop()
	r.record(t)
	r.await(t, "it is there", idle)
	if files := r.files(t, ".mcap"); len(files) != 3 {
		t.Errorf("%v", files)
	}
}

// checkOnce checks that pictures are in order and there once, that times do not go back, and which files say that they
// go on.
func (r *rig) checkOnce(t *testing.T, one *recorderv1.Recording) {
	t.Helper()
	seen := map[string]bool{}
	var last time.Time
	for i, name := range one.GetFiles() {
		all, f := r.read(t, name)
		if about, err := f.Metadata(write.AboutRobot); err != nil || about["recording"] != one.GetName() ||
			(about[write.Resumed] == "true") != (i > 0) {
			t.Errorf("%s: %v, %v", name, about, err)
		}
		for _, m := range on(all, "/front/video") {
			if seen[m.data] || m.logged.Before(last) {
				t.Fatalf("%s: a picture of %v, after %v, there before: %v", name, m.logged, last, seen[m.data])
			}
			seen[m.data], last = true, m.logged
		}
	}
}

// TestClockSet: whatever the clock does meanwhile, the times of a recording go on.
func TestClockSet(t *testing.T) {
	r := start(t, nil)
	p := r.record(t)
	first := r.begin(t).GetRecording()
	p.Stop()
	const set = 1000 * time.Hour // the clock has been set back by so much, as the recording sees it
	r.note(t, func(n map[string]any) {
		at, err := time.Parse(time.RFC3339Nano, n["time"].(string))
		if err != nil {
			t.Fatal(err)
		}
		n["time"] = at.Add(set)
	})
	p = r.record(t)
	again := r.more(t, 10).GetRecording()
	if d := again.GetDuration().AsDuration(); again.GetName() != first.GetName() || d < set || d > set+time.Hour {
		t.Errorf("%v", again)
	}
	p.Stop()
	r.note(t, func(n map[string]any) { n["time"] = first.GetStartTime().AsTime() })
	r.record(t)
	if s := r.await(t, "another one begins", recording); s.GetRecording().GetName() == first.GetName() {
		t.Errorf("times would go back: %v", s)
	}
}

// TestNotResumed: what cannot go on is left as it is, and another recording begins.
func TestNotResumed(t *testing.T) {
	for what, change := range map[string]func(t *testing.T, r *rig, name string){
		"an empty folder": func(t *testing.T, r *rig, name string) {
			if err := os.Remove(filepath.Join(r.folder, name)); err != nil {
				t.Fatal(err)
			}
		},
		"a file that cannot be repaired": func(t *testing.T, r *rig, name string) {
			part, _ := folder.Parse(name)
			if err := os.WriteFile(filepath.Join(r.folder, part.Next().String()+write.PartSuffix), make([]byte, 5000),
				0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a first file that is gone": func(t *testing.T, r *rig, name string) {
			part, _ := folder.Parse(name)
			if err := os.Rename(filepath.Join(r.folder, name), filepath.Join(r.folder, part.Next().String())); err != nil {
				t.Fatal(err)
			}
		},
		"a name that is none": func(t *testing.T, r *rig, _ string) {
			r.note(t, func(n map[string]any) { n["recording"] = "../x" })
		},
		"a recording of another robot": func(t *testing.T, r *rig, name string) {
			r.note(t, func(n map[string]any) { n["recording"] = strings.Replace(name, "_rover_", "_other_", 1) })
		},
		"another run of the machine": func(t *testing.T, r *rig, _ string) {
			r.note(t, func(n map[string]any) { n["boot"] = "x" })
		},
		"many files": func(t *testing.T, r *rig, name string) {
			part, _ := folder.Parse(name)
			for range folder.MaxContinued - 1 {
				part = part.Next()
				if err := os.Link(filepath.Join(r.folder, name), filepath.Join(r.folder, part.String())); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := start(t, func(c *recorder.Config) { c.When = "always" })
			p := r.record(t)
			first := r.more(t, 10).GetRecording().GetName()
			p.Stop()
			change(t, r, first)
			r.record(t)
			if s := r.more(t, 10); s.GetRecording().GetName() == first || len(s.GetRecording().GetFiles()) != 1 {
				t.Errorf("%v goes on with %s", s, first)
			}
		})
	}
}

// TestDrivenResumes: a drive that goes on while the recorder restarts is one recording.
func TestDrivenResumes(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.When, c.After = "driven", time.Minute })
	p := r.record(t)
	r.camera.state.Store(&controlv1.ControlState{Epoch: r.camera.epoch, Holder: "anna"})
	first := r.more(t, 10).GetRecording().GetName()
	p.Stop()
	r.record(t)
	if s := r.more(t, 10); s.GetRecording().GetName() != first || s.GetStartedBy() != "drive" {
		t.Errorf("%v, want it to go on with %s", s, first)
	}
}

// TestCrashLoop: crashes add to one recording, good ones are kept, and in the end nothing is recorded by itself any
// more.
func TestCrashLoop(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.When, c.Keep.Recordings = "always", 2 })
	p := r.record(t)
	r.more(t, 10)
	good := r.end(t).GetName()
	if _, err := r.client.StartRecording(t.Context(), &recorderv1.StartRecordingRequest{}); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		r.more(t, 10)
		r.counted(t, n+1)
		r.crash(t, p.Stop)
		p = r.record(t)
	}
	r.more(t, 10)
	r.counted(t, 5)
	if list, err := folder.New(r.folder).List(); err != nil || len(list) != 2 || list[1].GetName() != good {
		t.Errorf("%v, %v", list, err)
	}
	r.crash(t, p.Stop)
	files := r.files(t, "")
	r.note(t, func(n map[string]any) { n["crashes"] = folder.MaxContinued })
	for range 2 {
		p = r.record(t)
		s := r.await(t, "it gives up", func(s *recorderv1.RecorderState) bool {
			return s.GetPhase() == recorderv1.RecorderPhase_RECORDER_PHASE_FAILED &&
				p.Kit().Device().GetState() == devicev1.DeviceState_DEVICE_STATE_AWAY
		})
		if !strings.Contains(s.GetProblem(), "crashed") {
			t.Errorf("%v", s)
		}
		r.crash(t, p.Stop)
	}
	if now := r.files(t, ""); len(now) > len(files) {
		t.Errorf("%v, before %v", now, files)
	}
	r.record(t)
	r.begin(t)
}
