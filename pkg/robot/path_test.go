package robot_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// TestPathsCountFromTheFile decodes paths from a file in another folder than the working directory, by an absolute and
// a relative name.
func TestPathsCountFromTheFile(t *testing.T) {
	type config struct {
		Any    string `yaml:"any" path:"any"`
		Source string `yaml:"source" path:"except test sim"`
		Sound  string `yaml:"sound" path:"only .wav"`
		Plain  string `yaml:"plain"`
		Nested struct {
			State string `yaml:"state" path:"any"`
		} `yaml:"nested"`
	}
	decode := func(file, device string, flags ...string) config {
		t.Helper()
		r, err := robot.Parse(file, []byte("robot: a\ndevices: {f: {kind: a, "+device+"}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(flags); i += 2 {
			r.Devices[0].Override(flags[i], flags[i+1], "--"+flags[i])
		}
		var c config
		if err := r.Devices[0].Decode(&c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	nested := config{Any: "/r/a", Source: "/r/clips/a.mp4", Sound: "/r/b.WAV", Plain: "c"}
	nested.Nested.State = "/state"
	for _, tt := range []struct {
		file, device string
		flags        []string
		want         config
	}{
		{"/r/robot.yaml", "any: a, source: clips/a.mp4, sound: b.WAV, plain: c, nested: {state: ../state}", nil, nested},
		{"/r/robot.yaml", "any: /a, source: test, sound: default", nil, config{Any: "/a", Source: "test", Sound: "default"}},
		{"/r/robot.yaml", "source: \"rtsp://cam/1\", any: \"\"", nil, config{Source: "rtsp://cam/1"}},
		{"sub/robot.yaml", "any: a, source: ./test", nil, config{Any: "sub/a", Source: "sub/test"}},
		{"robot.yaml", "any: a/../b", nil, config{Any: "b"}},
		{"/r/robot.yaml", "any: a", []string{"any", "b", "source", "c.mp4"}, config{Any: "b", Source: "c.mp4"}},
	} {
		if got := decode(tt.file, tt.device, tt.flags...); got != tt.want {
			t.Errorf("%s, %s: got %+v, want %+v", tt.file, tt.device, got, tt.want)
		}
	}
}

// located wants to know where it was written.
type located struct{ Text, Folder string }

func (l *located) UnmarshalText(text []byte) error { l.Text = string(text); return nil }

func (l *located) From(folder string) { l.Folder = folder }

func TestValuesKnowTheFolderOfTheFile(t *testing.T) {
	r, err := robot.Parse("/r/robot.yaml", []byte("robot: a\ndevices: {f: {kind: a, run: python blur.py}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Run   located `yaml:"run"`
		Other located `yaml:"other"`
		Flag  located `yaml:"flag"`
	}
	r.Devices[0].Override("flag", "python a.py", "--flag")
	if err := r.Devices[0].Decode(&c); err != nil {
		t.Fatal(err)
	}
	if c.Run != (located{"python blur.py", "/r"}) || c.Other != (located{}) || c.Flag != (located{"python a.py", ""}) {
		t.Errorf("got %+v", c)
	}
}

// TestLoadHanded reads what a launcher hands over, whatever is in the file by now.
func TestLoadHanded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "robot.yaml")
	if err := os.WriteFile(path, []byte("robot: half"), 0o600); err != nil {
		t.Fatal(err)
	}
	handed, err := os.Create(filepath.Join(t.TempDir(), "handed"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handed.WriteString(good); err != nil { // the offset is at its end
		t.Fatal(err)
	}
	if r, err := robot.LoadHanded(path, func(string) string { return "" }); err == nil {
		t.Errorf("the file is %+v", r)
	}
	for fd, want := range map[string]string{"x": "leave it to waldo up", "-1": "leave it to waldo up",
		"60000": "WALDO_ROBOT_FD"} {
		if _, err := robot.LoadHanded(path, func(string) string { return fd }); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", fd, err)
		}
	}
	// The reader closes the descriptor, so it gets its own.
	fd := dup(t, handed)
	r, err := robot.LoadHanded(path, func(string) string { return fd })
	if err != nil || r.Name != "demo" || r.File != path || string(r.Text) != good {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := handed.Close(); err != nil {
		t.Error(err)
	}
}

// dup returns the number of another descriptor of the file.
func dup(t *testing.T, f *os.File) string {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(fd)
}

// TestLoadChecked reads the checked copy, whatever is in the file by now, and names the file in errors.
func TestLoadChecked(t *testing.T) {
	checked := filepath.Join(t.TempDir(), "checked.yaml")
	if err := os.WriteFile(checked, []byte("robot: r\ndevices: {front: {kind: camera}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := func(path string) func(string) string {
		return func(key string) string { return map[string]string{robot.CheckedFile: path}[key] }
	}
	r, err := robot.LoadHanded("/etc/half-edited.yaml", environ(checked))
	if err != nil || r.Name != "r" || r.File != "/etc/half-edited.yaml" {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := robot.LoadHanded("/etc/r.yaml", environ("/nowhere")); err == nil ||
		!strings.Contains(err.Error(), "no checked copy /nowhere of /etc/r.yaml: run waldo install") {
		t.Errorf("without a copy: %v", err)
	}
	if err := os.WriteFile(checked, []byte("robots: r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := robot.LoadHanded("/etc/r.yaml", environ(checked)); err == nil ||
		!strings.Contains(err.Error(), "/etc/r.yaml:1") {
		t.Errorf("a bad copy: %v", err)
	}
}
