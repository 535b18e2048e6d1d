package replayed_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/play"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/replayed"
)

// record makes a recording of cameras with these names, and of a recorder.
func record(t *testing.T, robot string, cameras ...string) *play.Recording {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drive.mcap")
	f, err := write.Create(path, write.Head{Metadata: map[string]string{"robot": robot}}, write.Config{})
	if err != nil {
		t.Fatal(err)
	}
	channels := []recording.Channel{{Device: "log", Kind: "recorder", Stream: "marks", Direction: recording.Out,
		Type: "waldo.media.v1.VideoFrame", Files: recordingtest.Video("x").Files}}
	for _, name := range cameras {
		channels = append(channels, recordingtest.Video(name))
	}
	for _, c := range channels {
		channel, err := f.Add(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 30} { // a second apart
			if err := f.Write(channel, recordingtest.Picture(n, 10)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := play.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// describe returns the robot as the programs will read it.
func describe(t *testing.T, r *play.Recording, o replayed.Options) *robot.Robot {
	t.Helper()
	o.Files, o.Speed = []string{"/recordings/a b.mcap", `/recordings/"c": d.mcap`}, 2
	text, err := replayed.Robot(r, o)
	if err != nil {
		t.Fatal(err)
	}
	described, err := robot.Parse(replayed.File, text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return described
}

func TestRobot(t *testing.T) {
	r := describe(t, record(t, "rover", "front", "player"), replayed.Options{Start: time.Millisecond, Loop: true})
	kinds := map[string]string{}
	served := map[string]bool{r.Gateway.Text("http"): true, r.Gateway.Text("ice"): true}
	for _, d := range r.Devices {
		kinds[d.Name] = d.Kind
		host, port, err := net.SplitHostPort(d.GRPC)
		if err != nil || host != "127.0.0.1" || port == "0" || served[d.GRPC] { // it would change with each restart
			t.Errorf("%s serves gRPC at %s, beside %v", d.Name, d.GRPC, served)
		}
		served[d.GRPC] = true
	}
	if len(kinds) != 3 || kinds["front"] != "replay" || kinds["player"] != "replay" || kinds["player-2"] != "player" {
		t.Errorf("the devices are %v", kinds)
	}
	var keys struct {
		Files    play.Files    `yaml:"files"`
		Start    time.Duration `yaml:"start"`
		Speed    float64       `yaml:"speed"`
		Loop     bool          `yaml:"loop"`
		Paused   bool          `yaml:"paused"`
		Messages bool          `yaml:"messages"`
	}
	player, err := r.Device("player-2")
	if err != nil {
		t.Fatal(err)
	}
	if err := player.Decode(&keys); err != nil {
		t.Fatal(err)
	}
	if len(keys.Files) != 2 || keys.Files[1] != `/recordings/"c": d.mcap` || keys.Start != time.Millisecond ||
		!keys.Loop || keys.Paused || !keys.Messages || keys.Speed != 2 {
		t.Errorf("the player has %+v", keys)
	}
	host, port, err := net.SplitHostPort(r.Gateway.Text("http"))
	if err != nil || host != "127.0.0.1" || port == "0" || r.Gateway.Text("ice") == r.Gateway.Text("http") ||
		r.Name != "rover" {
		t.Errorf("robot %s, gateway %s, %s", r.Name, r.Gateway.Text("http"), r.Gateway.Text("ice"))
	}
}

// TestNames: a name that is given comes before the one in the recording, which may be none.
func TestNames(t *testing.T) {
	for _, c := range []struct{ recorded, given, want string }{
		{"rover", "", "rover"}, {"rover", "other", "other"}, {"", "", "replay"}, {"The Rover!", "", "replay"},
	} {
		r := describe(t, record(t, c.recorded, "front"), replayed.Options{Name: c.given, HTTP: "0.0.0.0:8123"})
		if r.Name != c.want || r.Gateway.Text("http") != "0.0.0.0:8123" ||
			!strings.HasPrefix(r.Gateway.Text("ice"), "0.0.0.0:") {
			t.Errorf("%q, %q: robot %s at %s, %s", c.recorded, c.given, r.Name, r.Gateway.Text("http"), r.Gateway.Text("ice"))
		}
	}
	for name, o := range map[string]replayed.Options{
		"--robot": {Name: "a b"}, "--http": {HTTP: "8080"},
		"--start: 1m39s is after the end of the recording, which is 1s long": {Start: 99 * time.Second},
	} {
		if _, err := replayed.Robot(record(t, "rover", "front"), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := replayed.Robot(record(t, "rover"), replayed.Options{}); err == nil {
		t.Error("a recording without devices is replayed")
	}
}

// TestFiles: the first file of a recording stands for all of them, also after a gap.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	const name = "2026-11-30T07-10-00.000Z_rover_00"
	for _, n := range []string{"1", "2", "4"} {
		if err := os.WriteFile(filepath.Join(dir, name+n+".mcap"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := func(n string) string { return filepath.Join(dir, name+n+".mcap") }
	for _, c := range []struct {
		given []string
		want  int
	}{{[]string{path("1")}, 3}, {[]string{path("2")}, 1}, {[]string{path("1"), path("4")}, 2},
		{[]string{"other.mcap"}, 1}} {
		got, err := replayed.Files(c.given)
		if err != nil || len(got) != c.want || !filepath.IsAbs(got[0]) {
			t.Errorf("%v: %v, %v", c.given, got, err)
		}
	}
}
