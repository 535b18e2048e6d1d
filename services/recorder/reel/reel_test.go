package reel_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a folder, and what was finished in it.
type rig struct {
	*folder.Writer
	mu       sync.Mutex
	finished []reel.Finished
}

func start(t *testing.T) *rig {
	t.Helper()
	w, err := folder.Own(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return &rig{Writer: w}
}

func (r *rig) begin(t *testing.T, at time.Time) *reel.Reel {
	t.Helper()
	one, err := reel.Begin(at, reel.Config{Folder: r.Writer, Robot: "rover",
		Head: func(string, int) write.Head { return write.Head{} },
		Finished: func(f reel.Finished) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.finished = append(r.finished, f)
		}})
	if err != nil {
		t.Fatal(err)
	}
	return one
}

var video, state = recordingtest.Video("front"), recordingtest.State("motors")

func message(c *recording.Channel, at time.Time, key bool, text string) reel.Message {
	return reel.Message{Channel: c, At: at, Key: key, Data: []byte(text)}
}

func put(t *testing.T, r *reel.Reel, messages ...reel.Message) {
	t.Helper()
	for _, m := range messages {
		if err := r.Write(m); err != nil {
			t.Fatal(err)
		}
	}
}

// content are the messages of a file, in order, and their log times.
func (r *rig) content(t *testing.T, file string) (texts []string, times []time.Time) {
	t.Helper()
	f, err := read.Open(filepath.Join(r.Dir(), file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	messages := f.Messages(read.Query{})
	for {
		m, err := messages.Next()
		if errors.Is(err, io.EOF) {
			return texts, times
		}
		if err != nil {
			t.Fatal(err)
		}
		texts, times = append(texts, string(m.Data)), append(times, m.Logged)
	}
}

// Pictures that are empty: their first field is unknown to a reader of pictures.
const (
	key   = "\xa2\x06\x01k"
	delta = "\xa2\x06\x01d"
	old   = "\xa2\x06\x01o"
	rest  = "\xa2\x06\x01r"
)

// TestTurn: the next file begins with the state and a key frame, and has everything from then on.
func TestTurn(t *testing.T) {
	r := start(t)
	now := time.Now()
	one := r.begin(t, now)
	put(t, one, message(&state, now, false, old), message(&state, now, false, "s"), message(&video, now, true, key))
	if err := errors.Join(one.Turn(), one.Turn()); err != nil {
		t.Fatal(err)
	}
	put(t, one, message(&video, now, false, delta), message(&state, now, false, "t"), message(&video, now, true, key),
		message(&video, now, false, rest))
	if s := one.Stats(); s.Messages != 8 || len(s.Files) != 2 || !slices.Equal(s.Devices, []string{"front", "motors"}) {
		t.Errorf("%+v", s)
	}
	if err := one.End(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(one.End(), one.Turn()); err != nil {
		t.Errorf("once more: %v", err)
	}
	if err := one.Write(message(&state, now, false, "s")); !errors.Is(err, reel.ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
	files := one.Stats().Files
	for i, want := range [][]string{{old, "s", key, delta, "t"}, {"t", key, rest}} {
		if got, _ := r.content(t, files[i]); !slices.Equal(got, want) {
			t.Errorf("file %d has %q, want %q", i, got, want)
		}
	}
	if len(r.finished) != 2 {
		t.Fatalf("%v", r.finished)
	}
	for _, f := range r.finished {
		data, err := os.ReadFile(filepath.Join(r.Dir(), f.File))
		if err != nil || sha256.Sum256(data) != f.Sum {
			t.Errorf("%s: another sum, %v", f.File, err)
		}
	}
}

// TestTurnWithoutKeyFrame: a file that gets no key frame begins after a second.
func TestTurnWithoutKeyFrame(t *testing.T) {
	r := start(t)
	now := time.Now()
	one := r.begin(t, now)
	if err := one.Turn(); err != nil {
		t.Fatal(err)
	}
	put(t, one, message(&state, now, false, "a"), message(&state, time.Now().Add(2*time.Second), false, "b"))
	if err := one.End(); err != nil {
		t.Fatal(err)
	}
	files := one.Stats().Files
	if len(files) != 2 {
		t.Fatalf("%v", files)
	}
	if got, _ := r.content(t, files[1]); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
}

// TestTimes: log times follow the monotonic clock from the start on, whatever the wall clock says.
func TestTimes(t *testing.T) {
	r := start(t)
	now := time.Now()
	one := r.begin(t, now)
	put(t, one, message(&state, now.Add(-time.Second), false, "early"), message(&state, now, false, "now"),
		message(&state, now.Add(time.Hour), false, "late"))
	if err := one.End(); err != nil {
		t.Fatal(err)
	}
	_, times := r.content(t, one.Name())
	for i, want := range []time.Duration{-time.Second, 0, time.Hour} {
		if got := times[i].Sub(now.Round(0)); got != want {
			t.Errorf("message %d: %v after the start, want %v", i, got, want)
		}
	}
}

// TestSameTime: a clock that was set back gives a name that is taken; another one is found.
func TestSameTime(t *testing.T) {
	r := start(t)
	now := time.Now()
	first, second := r.begin(t, now), r.begin(t, now)
	if first.Name() == second.Name() {
		t.Errorf("both are %s", first.Name())
	}
	if err := errors.Join(first.End(), second.End()); err != nil {
		t.Error(err)
	}
}

// TestNoFolder: an error ends the recording, and is told.
func TestNoFolder(t *testing.T) {
	r := start(t)
	now := time.Now()
	one := r.begin(t, now)
	put(t, one, message(&state, now, false, "a"))
	if err := os.RemoveAll(r.Dir()); err != nil {
		t.Fatal(err)
	}
	if err := one.Turn(); err == nil {
		t.Fatal("a file in a folder that is gone")
	}
	<-one.Failed()
	if err := one.Write(message(&state, now, false, "b")); err == nil || !errors.Is(err, one.Err()) {
		t.Errorf("%v, want %v", err, one.Err())
	}
	if err := one.End(); err == nil {
		t.Error("no error at the end")
	}
}

// TestAttach: what is told of a device later is in this file and the next.
func TestAttach(t *testing.T) {
	r := start(t)
	now := time.Now()
	one := r.begin(t, now)
	put(t, one, message(&state, now, false, "a"))
	if err := errors.Join(one.Turn(), one.Attach(write.Attachment{Name: "late", Data: []byte("x")})); err != nil {
		t.Fatal(err)
	}
	put(t, one, message(&state, time.Now().Add(2*time.Second), false, "b"))
	if err := one.End(); err != nil {
		t.Fatal(err)
	}
	for _, file := range one.Stats().Files {
		f, err := read.Open(filepath.Join(r.Dir(), file))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if data, err := f.Attachment("late"); err != nil || string(data) != "x" {
			t.Errorf("%s: %q, %v", file, data, err)
		}
	}
	if err := one.Attach(write.Attachment{}); !errors.Is(err, reel.ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
}

// TestResume: what another process goes on with is in the next file, at the time of the recording, and counts with the
// files before.
func TestResume(t *testing.T) {
	r := start(t)
	now := time.Now()
	one := r.begin(t, now)
	put(t, one, message(&state, now, false, "a"), message(&state, now.Add(time.Second), false, "b"))
	if err := one.End(); err != nil {
		t.Fatal(err)
	}
	first, _ := folder.Parse(one.Name())
	c, _, err := r.Continue(first)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Done()
	set := now.Add(-time.Hour) // the clock was set back
	again, err := reel.Resume(set, now.Add(time.Minute).Round(0), c.Next, c.About,
		reel.Config{Folder: r.Writer, Robot: "rover", Head: func(string, int) write.Head { return write.Head{} }})
	if err != nil {
		t.Fatal(err)
	}
	if s := again.Stats(); s.Messages != 2 || len(s.Files) != 1+1 || s.Last.Sub(s.First) != time.Second {
		t.Errorf("before the first message: %+v", s)
	}
	put(t, again, message(&state, set, false, "c"), message(&video, set.Add(time.Second), true, key))
	if again.Name() != one.Name() {
		t.Errorf("%s goes on as %s", one.Name(), again.Name())
	}
	s := again.Stats()
	if s.Messages != 4 || s.Last.Sub(s.First) != time.Minute+time.Second ||
		!slices.Equal(s.Devices, []string{"front", "motors"}) {
		t.Errorf("%+v", s)
	}
	if err := again.End(); err != nil {
		t.Fatal(err)
	}
	texts, times := r.content(t, s.Files[1])
	if !slices.Equal(texts, []string{"c", key}) || times[0].Sub(now.Round(0)) != time.Minute {
		t.Errorf("%q at %v", texts, times)
	}
	if _, err := reel.Resume(now, now, c.Next, c.About, reel.Config{Folder: r.Writer, Robot: "rover",
		Head: func(string, int) write.Head { return write.Head{} }}); err == nil {
		t.Error("a file that is there is written once more")
	}
}
