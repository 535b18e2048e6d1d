package folder_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// ownAs turns the test into a program that owns a folder, or says why not.
const ownAs = "WALDO_TEST_OWN"

func TestMain(m *testing.M) {
	if path := os.Getenv(ownAs); path != "" {
		_, err := folder.Own(path)
		fmt.Println(err)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func own(t *testing.T, path string) *folder.Writer {
	t.Helper()
	w, err := folder.Own(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// name is that of a file of the recording that begins some hours after the first.
func name(hours, number int) folder.Name {
	return folder.Name{Start: recordingtest.Begin.Add(time.Duration(hours) * time.Hour), Robot: "rover", Number: number}
}

// marks is the channel of the recorder's marks.
func marks() recording.Channel {
	return recording.Channel{Device: "recorder", Kind: "recorder", Stream: "marks", Direction: recording.Out,
		Type: folder.MarksType, Files: recordingtest.Files(&recorderv1.Mark{})}
}

// fill writes pictures from the n-th on and a mark after each tenth.
func fill(t *testing.T, f *write.File, from, to int) {
	t.Helper()
	video, err := f.Add(recordingtest.Video("front"))
	if err != nil {
		t.Fatal(err)
	}
	mark, err := f.Add(marks())
	if err != nil {
		t.Fatal(err)
	}
	for n := from; n < to; n++ {
		m := recordingtest.Picture(n, 1000)
		if err := f.Write(video, m); err != nil {
			t.Fatal(err)
		}
		if n%10 != 9 {
			continue
		}
		// it always can be
		data, _ := proto.Marshal(&recorderv1.Mark{Time: timestamppb.New(m.Logged), Text: "mark\x1b", By: "anna"})
		if err := f.Write(mark, write.Message{Logged: m.Logged, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
}

// record makes a whole file.
func record(t *testing.T, w *folder.Writer, n folder.Name, from, to int) {
	t.Helper()
	f, done, err := w.Create(n, write.Head{}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	fill(t, f, from, to)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// leave makes a file that is left behind, cut by some bytes.
func leave(t *testing.T, w *folder.Writer, n folder.Name, pictures int, cut int64) {
	t.Helper()
	f, done, err := w.Create(n, write.Head{}, write.Config{ChunkBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, f, 0, pictures)
	f.Abandon()
	done()
	path := filepath.Join(w.Dir(), n.String()+write.PartSuffix)
	about, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, about.Size()-cut); err != nil {
		t.Fatal(err)
	}
}

// TestList: the files of a recording are one, with all that is listed of it; other files are none.
func TestList(t *testing.T) {
	w := own(t, filepath.Join(t.TempDir(), "a", "b"))
	record(t, w, name(0, 1), 0, 60)
	record(t, w, name(0, 2), 60, 100)
	record(t, w, name(1, 1), 0, 5)
	for _, foreign := range []string{"notes.txt", "drive.mcap", "2026-11-30T07-10-00.000Z_rover_1.mcap"} {
		if err := os.WriteFile(filepath.Join(w.Dir(), foreign), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(w.Dir(), name(2, 1).String()), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // read, and from memory
		list, err := w.List()
		if err != nil || len(list) != 2 {
			t.Fatalf("%d recordings, %v", len(list), err)
		}
		r := list[1]
		if r.GetName() != name(0, 1).String() || r.GetOpen() || r.GetProblem() != "" || r.GetMessageCount() != 110 ||
			!slices.Equal(r.GetFiles(), []string{name(0, 1).String(), name(0, 2).String()}) ||
			!slices.Equal(r.GetDevices(), []string{"front", "recorder"}) {
			t.Errorf("%v", r)
		}
		if !r.GetStartTime().AsTime().Equal(recordingtest.Begin) ||
			r.GetDuration().AsDuration() != recordingtest.Picture(99, 0).Logged.Sub(recordingtest.Begin) {
			t.Errorf("from %v, for %v", r.GetStartTime().AsTime(), r.GetDuration().AsDuration())
		}
		if m := r.GetMarks(); len(m) != 10 || m[9].GetText() != `mark\u001b` ||
			!m[9].GetTime().AsTime().Equal(recordingtest.Picture(99, 0).Logged) {
			t.Errorf("marks %v", m)
		}
	}
	if r, err := w.Find(name(1, 1).String()); err != nil || r.GetMessageCount() != 5 {
		t.Errorf("found %v, %v", r, err)
	}
	if _, err := w.Find(name(2, 1).String()); !errors.Is(err, folder.ErrNone) {
		t.Errorf("found a folder: %v", err)
	}
	if path, err := w.File(name(0, 2).String()); err != nil || filepath.Base(path) != name(0, 2).String() {
		t.Errorf("%q, %v", path, err)
	}
	for _, bad := range []string{"", "notes.txt", "../" + name(0, 2).String(), name(2, 1).String(), name(9, 1).String()} {
		if path, err := w.File(bad); !errors.Is(err, folder.ErrNone) {
			t.Errorf("%q is %q, %v", bad, path, err)
		}
	}
}

// TestOpen: what is being written is listed as that, and neither repaired nor deleted.
func TestOpen(t *testing.T) {
	w := own(t, t.TempDir())
	record(t, w, name(0, 1), 0, 10)
	f, done, err := w.Create(name(1, 1), write.Head{}, write.Config{ChunkBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, f, 0, 30)
	list, err := folder.New(w.Dir()).List()
	if err != nil || len(list) != 2 || !list[0].GetOpen() || list[1].GetOpen() || list[0].GetProblem() != "" {
		t.Fatalf("%v, %v", list, err)
	}
	if repaired, err := w.Repair(); err != nil || len(repaired) != 0 {
		t.Errorf("repaired %v, %v", repaired, err)
	}
	if err := w.Delete(name(1, 1).String()); !errors.Is(err, folder.ErrOpen) {
		t.Errorf("deleted what is open: %v", err)
	}
	if _, deleted, err := w.Room(folder.Keep{Recordings: 1, Free: 1 << 62}); !errors.Is(err, folder.ErrFull) ||
		!slices.Equal(deleted, []string{name(0, 1).String()}) {
		t.Errorf("deleted %v, %v", deleted, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	done()
	done()
	if err := w.Delete(name(1, 1).String()); err != nil {
		t.Error(err)
	}
	if list, err := w.List(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestRoom: how many are kept, and which go first.
func TestRoom(t *testing.T) {
	for _, tt := range []struct {
		what    string
		keep    folder.Keep
		deleted []int
		full    bool
	}{
		{"everything", folder.Keep{}, nil, false},
		{"as many as there are", folder.Keep{Recordings: 3}, nil, false},
		{"two", folder.Keep{Recordings: 2}, []int{0}, false},
		{"one", folder.Keep{Recordings: 1, Free: 1}, []int{0, 1}, false},
		{"full", folder.Keep{Free: 1 << 62}, nil, true},
		{"full, and too many", folder.Keep{Free: 1 << 62, Recordings: 2}, []int{0}, true},
		{"full by others", folder.Keep{Free: 1 << 62, DeleteOldest: true}, nil, true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			w := own(t, t.TempDir())
			for n := range 3 {
				record(t, w, name(n, 1), 0, 2)
			}
			record(t, w, name(0, 2), 2, 3)
			var want []string
			for _, n := range tt.deleted {
				want = append(want, name(n, 1).String())
			}
			free, deleted, err := w.Room(tt.keep)
			if free <= 0 || !slices.Equal(deleted, want) || errors.Is(err, folder.ErrFull) != tt.full || !tt.full && err != nil {
				t.Errorf("%d free, deleted %v, %v", free, deleted, err)
			}
			if list, err := w.List(); err != nil || len(list) != 3-len(want) {
				t.Errorf("%d are left, %v", len(list), err)
			}
		})
	}
}

// TestSlowToFree: no more is deleted than is needed, although what was deleted is not free yet.
func TestSlowToFree(t *testing.T) {
	w := own(t, t.TempDir())
	for n := range 4 {
		record(t, w, name(n, 1), 0, 100) // more than 100,000 bytes
	}
	w.SetFree(1_000_000)
	for _, tt := range []struct {
		free    int64
		deleted int
		full    bool
	}{{1_000_000, 0, false}, {1_050_000, 1, false}, {1_050_000, 0, false}, {9_000_000, 0, true},
		{1_350_000, 2, false}} {
		free, deleted, err := w.Room(folder.Keep{Free: tt.free, DeleteOldest: true})
		if len(deleted) != tt.deleted || errors.Is(err, folder.ErrFull) != tt.full || (free < tt.free) != tt.full {
			t.Errorf("%d free of %d: deleted %v, %v", free, tt.free, deleted, err)
		}
	}
}

// TestRepair: what was left behind is completed, as far as it can be.
func TestRepair(t *testing.T) {
	w := own(t, t.TempDir())
	leave(t, w, name(0, 1), 30, 5)
	leave(t, w, name(1, 1), 30, 0)
	leave(t, w, name(2, 1), 0, 0)
	if err := os.WriteFile(filepath.Join(w.Dir(), name(3, 1).String()+write.PartSuffix), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(w.Dir(), name(4, 1).String()+write.PartSuffix)
	if err := os.WriteFile(garbage, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := w.List()
	if err != nil || len(list) != 5 || !strings.Contains(list[4].GetProblem(), "not completed") || list[4].GetOpen() {
		t.Fatalf("before: %v, %v", list, err)
	}
	repaired, err := w.Repair()
	if err != nil || len(repaired) != 5 {
		t.Fatalf("%v, %v", repaired, err)
	}
	for i, r := range repaired {
		removed, fails := i == 2 || i == 3, i == 4
		if r.Removed != removed || (r.Err != nil) != fails || (r.Cut > 0) != (i == 0) && !removed ||
			(r.Messages > 20) != (i < 2) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if list, err = w.List(); err != nil || len(list) != 3 {
		t.Fatalf("after: %v, %v", list, err)
	}
	for i, problem := range []string{"not an MCAP file", "repaired", "repaired"} {
		if got := list[i].GetProblem(); !strings.Contains(got, problem) {
			t.Errorf("%d: %q", i, got)
		}
	}
	if list[2].GetMessageCount() != int64(repaired[0].Messages) {
		t.Errorf("%v", list[2])
	}
}

// TestTwo: a folder has one writer, and the second is told what to do.
func TestTwo(t *testing.T) {
	w := own(t, t.TempDir())
	if _, err := folder.Own(w.Dir()); err == nil || !strings.Contains(err.Error(), "another `folder` in robot.yaml") {
		t.Errorf("a second writer: %v", err)
	}
	w.Close()
	own(t, w.Dir())
}

// TestNoFolder: what cannot be a folder, and one that is missing.
func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file: "set `folder`", filepath.Join(file, "x"): "set `folder`",
		"/proc/waldo": "/proc/waldo: no such file or directory: there no folder can be made: set another `folder`",
	} {
		if _, err := folder.Own(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if list, err := folder.New(filepath.Join(t.TempDir(), "missing")).List(); err != nil || len(list) != 0 {
		t.Errorf("a missing folder: %v, %v", list, err)
	}
}

// TestNoRights: a folder of somebody else is refused with what helps, by whoever is not root.
func TestNoRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a program as somebody else")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	readable, err := os.MkdirTemp("", "waldo") // which everybody may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(readable) })
	data, err := os.ReadFile(program)
	program = filepath.Join(readable, "own")
	if err := errors.Join(err, os.Chmod(readable, 0o755), os.WriteFile(program, data, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{readable, filepath.Join(readable, "new")} {
		c := exec.CommandContext(t.Context(), program)
		c.Env = append(os.Environ(), ownAs+"="+path)
		c.Dir = readable
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "permission denied: give the user who runs the recorder the right") {
			t.Errorf("%s: %v, %s", path, err, out)
		}
	}
}

// TestChanged: what is listed of a file is read again when it has changed; one that is damaged is told of, and does not
// hide the others.
func TestChanged(t *testing.T) {
	w := own(t, t.TempDir())
	record(t, w, name(0, 1), 0, 60)
	record(t, w, name(0, 2), 60, 90)
	record(t, w, name(0, 4), 90, 91)
	before, err := w.Find(name(0, 1).String())
	if err != nil || !strings.Contains(before.GetProblem(), name(0, 4).String()+" is missing") {
		t.Fatalf("%v, %v", before, err)
	}
	path := filepath.Join(w.Dir(), name(0, 2).String())
	if err := os.WriteFile(path, []byte("this is nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := w.Find(name(0, 1).String())
	if err != nil || after.GetMessageCount() != before.GetMessageCount()-33 || !strings.Contains(after.GetProblem(),
		name(0, 2).String()+": this is not an MCAP file") {
		t.Errorf("%v, %v", after, err)
	}
}
