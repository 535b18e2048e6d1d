package play_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record returns a recording with pictures, 30 a second, a key frame a second, and a state with every tenth.
func record(t testing.TB, pictures int) *play.Recording {
	t.Helper()
	path := filepath.Join(t.TempDir(), "one.mcap")
	if err := recordingtest.Record(t, path, pictures, 100, write.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

func open(t testing.TB, paths ...string) *play.Recording {
	t.Helper()
	r, err := play.Open(paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// notes is a sink that remembers.
type notes struct {
	now   func() time.Duration
	slow  atomic.Int64 // how long it takes for a message, in nanoseconds
	mu    sync.Mutex
	lines []string // what came
	at    []time.Duration
}

func (n *notes) Jump()    { n.note("jump") }
func (n *notes) Settled() { n.note("settled") }

func (n *notes) Take(m play.Message) {
	text := m.Channel.Topic
	var frame mediav1.VideoFrame
	if m.Channel.Waldo.Stream == "video" && proto.Unmarshal(m.Data, &frame) == nil {
		text += fmt.Sprintf(" %d", frame.GetSequence())
	}
	if m.Ahead {
		text += " ahead"
	}
	n.note(text)
	time.Sleep(time.Duration(n.slow.Load()))
}

func (n *notes) note(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines, n.at = append(n.lines, text), append(n.at, n.now())
}

// taken returns what came since the last call.
func (n *notes) taken() (lines []string, at []time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines, at = n.lines, n.at
	n.lines, n.at = nil, nil
	return lines, at
}

// rig plays a recording to notes, in the time of a bubble.
type rig struct {
	*notes
	play.Latest
	stop func() error
}

func start(r *play.Recording, c play.Config) *rig {
	begun := time.Now()
	now := func() time.Duration { return time.Since(begun) }
	one := &rig{notes: &notes{now: now}}
	c.Recording, c.Source, c.Now = r, &one.Latest, now
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- play.Run(ctx, c, one.notes) }()
	one.stop = func() error { cancel(); return <-ended }
	return one
}

// set sets the clock to a place.
func (r *rig) set(jump int64, place time.Duration, playing bool, speed float64) {
	r.Set(play.Clock{Jump: jump, Playing: playing, Offset: place, At: r.now(), Speed: speed, Duration: time.Hour})
}

func (r *rig) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	if got, _ := r.taken(); !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// TestTimes plays at several speeds, and looks at when each picture comes.
func TestTimes(t *testing.T) {
	r := record(t, 61)
	for _, speed := range []float64{0.1, 0.5, 1, 10} {
		t.Run(fmt.Sprint(speed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(r, play.Config{Channels: func(c *play.Channel) bool { return c.Waldo.Stream == "video" }})
				p.set(1, 0, true, speed)
				time.Sleep(time.Duration(float64(3*time.Second) / speed))
				synctest.Wait()
				lines, at := p.taken()
				if want := 1 + 1 + 1 + 60; len(lines) != want || lines[1] != "/front/video 0 ahead" || lines[2] != "settled" {
					t.Fatalf("%d came, not %d: %s", len(lines), want, strings.Join(lines, ", "))
				}
				for i, line := range lines[3:] {
					due := time.Duration(float64(time.Duration(i+1)*time.Second/30) / speed)
					if want := fmt.Sprintf("/front/video %d", i+1); line != want || (at[i+3]-due).Abs() > time.Microsecond {
						t.Errorf("%s came at %v, not %s at %v", line, at[i+3], want, due)
					}
				}
				if err := p.stop(); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		})
	}
}

// TestPauseAndSpeed: nothing comes while it is paused, and it goes on where it was, at another speed.
func TestPauseAndSpeed(t *testing.T) {
	r := record(t, 31)
	synctest.Test(t, func(t *testing.T) {
		p := start(r, play.Config{})
		defer func() { _ = p.stop() }()
		p.expect(t, "without a clock")
		p.set(1, 0, false, 1)
		p.expect(t, "paused at the beginning", "jump", "/motors ahead", "/front/video 0 ahead", "settled")
		time.Sleep(time.Hour)
		p.expect(t, "an hour later")
		p.set(1, 0, true, 1)
		time.Sleep(90 * time.Millisecond)
		p.expect(t, "after 90 ms", "/front/video 1", "/front/video 2")
		p.set(1, 90*time.Millisecond, false, 1)
		time.Sleep(time.Hour)
		p.expect(t, "paused")
		p.set(1, 90*time.Millisecond, true, 10)
		time.Sleep(12 * time.Millisecond) // to 210 ms
		p.expect(t, "fast", "/front/video 3", "/front/video 4", "/front/video 5", "/front/video 6")
	})
}

// TestSeek jumps while it is paused and while it plays.
func TestSeek(t *testing.T) {
	r := record(t, 70)
	synctest.Test(t, func(t *testing.T) {
		p := start(r, play.Config{})
		defer func() { _ = p.stop() }()
		p.set(1, 1100*time.Millisecond, false, 1)
		p.expect(t, "in the middle", "jump", "/motors ahead", "/front/video 30 ahead", "/front/video 31 ahead",
			"/front/video 32 ahead", "/front/video 33 ahead", "settled")
		p.set(2, 50*time.Millisecond, true, 1)
		p.expect(t, "back", "jump", "/motors ahead", "/front/video 0 ahead", "/front/video 1 ahead", "settled")
		time.Sleep(20 * time.Millisecond)
		p.expect(t, "on from there", "/front/video 2")
		p.set(3, time.Minute, true, 1)
		time.Sleep(time.Second)
		p.expect(t, "beyond the end", slices.Concat([]string{"jump", "/motors ahead"}, ahead("/front/video", 60, 69),
			[]string{"settled"})...)
		p.set(4, 0, false, 1)
		p.expect(t, "from the end to the beginning", "jump", "/motors ahead", "/front/video 0 ahead", "settled")
	})
}

// ahead are the pictures from one to another.
func ahead(topic string, from, to int) (lines []string) {
	for n := from; n <= to; n++ {
		lines = append(lines, fmt.Sprintf("%s %d ahead", topic, n))
	}
	return lines
}

// TestTooLate: who was stopped for long is not given everything at once.
func TestTooLate(t *testing.T) {
	r := record(t, 200)
	synctest.Test(t, func(t *testing.T) {
		p := start(r, play.Config{Channels: func(c *play.Channel) bool { return c.Waldo.Stream == "video" }})
		defer func() { _ = p.stop() }()
		p.slow.Store(int64(3500 * time.Millisecond))
		p.set(1, 0, true, 1)
		time.Sleep(time.Second)
		p.slow.Store(0)
		time.Sleep(2510 * time.Millisecond)
		p.expect(t, "after a stop of 3.5 s", slices.Concat([]string{"jump", "/front/video 0 ahead", "settled", "jump"},
			ahead("/front/video", 90, 105), []string{"settled"})...)
	})
}

// TestSlowSink: one that takes longer to show a place than it may be late still gets what comes after it.
func TestSlowSink(t *testing.T) {
	r := record(t, 3000)
	synctest.Test(t, func(t *testing.T) {
		p := start(r, play.Config{Channels: func(c *play.Channel) bool { return c.Waldo.Stream == "video" }})
		defer func() { _ = p.stop() }()
		p.slow.Store(int64(100 * time.Millisecond)) // for pictures that come every 33 ms
		p.set(1, 900*time.Millisecond, true, 1)
		time.Sleep(90 * time.Second)
		live, jumps := 0, 0
		lines, _ := p.taken()
		for _, line := range lines {
			switch {
			case line == "jump":
				jumps++
			case line != "settled" && !strings.HasSuffix(line, "ahead"):
				live++
			}
		}
		if live < 100 || jumps > 40 {
			t.Errorf("in 90 s it got %d pictures at their time, after %d jumps", live, jumps)
		}
	})
}

// TestSeveralFiles plays a recording that was split, whose files are given in any order.
func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "b"), filepath.Join(dir, "a")}
	for i, path := range paths {
		f, err := write.Create(path, write.Head{}, write.Config{})
		if err != nil {
			t.Fatal(err)
		}
		video, err := f.Add(recordingtest.Video("front"))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			if err := f.Write(video, recordingtest.Picture((1-i)*20+n, 100)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, paths...)
	if n := len(r.Channels()); n != 1 || r.Channels()[0].Count != 40 {
		t.Errorf("%d channels, the first with %d messages", n, r.Channels()[0].Count)
	}
	if got, want := r.Duration(), 39*time.Second/30; (got - want).Abs() > time.Microsecond {
		t.Errorf("it is %v long, not %v", got, want)
	}
	synctest.Test(t, func(t *testing.T) {
		p := start(r, play.Config{})
		defer func() { _ = p.stop() }()
		p.set(1, 710*time.Millisecond, true, 1) // in the second file, whose key frame is in the first
		p.expect(t, "seek", slices.Concat([]string{"jump"}, ahead("/front/video", 0, 21), []string{"settled"})...)
		time.Sleep(100 * time.Millisecond)
		p.expect(t, "on", "/front/video 22", "/front/video 23", "/front/video 24")
	})
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		paths []string
		want  string
	}{
		"nothing": {nil, "no file"},
		"missing": {[]string{filepath.Join(dir, "missing")}, "no such file"},
		"empty":   {[]string{write("empty", "")}, "it is empty"},
		"foreign": {[]string{write("foreign", "#!/bin/sh\necho hello\n")}, "not an MCAP file"},
		"folder":  {[]string{dir}, "not a file"},
	} {
		if r, err := play.Open(c.paths...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// TestOneRobot: files of one robot play together, and those of two do not; one that does not say whose it is fits any.
func TestOneRobot(t *testing.T) {
	files := map[string]string{}
	for name, robot := range map[string]string{"a": "rover", "b": "rover", "c": "walker", "d": ""} {
		path := filepath.Join(t.TempDir(), name)
		f, err := write.Create(path, write.Head{Metadata: map[string]string{"robot": robot}}, write.Config{})
		if err != nil {
			t.Fatal(err)
		}
		c := recordingtest.Add(t, f, recordingtest.Video("front"))
		if err := errors.Join(f.Write(c, recordingtest.Picture(0, 10)), f.Close()); err != nil {
			t.Fatal(err)
		}
		files[name] = path
	}
	open(t, files["a"], files["d"], files["b"])
	for _, order := range [][]string{{"a", "c"}, {"c", "d", "b"}} {
		var paths []string
		for _, name := range order {
			paths = append(paths, files[name])
		}
		_, err := play.Open(paths...)
		if err == nil || !strings.Contains(err.Error(), `"rover"`) || !strings.Contains(err.Error(), `"walker"`) ||
			!strings.Contains(err.Error(), files["c"]) {
			t.Errorf("%v: %v", order, err)
		}
	}
}
