package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/recording/index"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// drive records a drive of 10 s, without any picture that could be decoded, in a folder.
func drive(t *testing.T, name string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := recordingtest.Record(t, path, 300, 100, write.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRecordings(t *testing.T) {
	path := drive(t, "2026-11-30T07-00-00.000Z_rover_001.mcap")
	damaged := filepath.Join(filepath.Dir(path), "2026-11-30T08-00-00.000Z_rover_001.mcap")
	if err := os.WriteFile(damaged, []byte("no recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := waldo(t, "recordings", filepath.Dir(path), path)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != 4 {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errOut)
	}
	for line, words := range map[int][]string{
		0: {"NAME", "DURATION", "PROBLEM"},
		1: {filepath.Base(damaged), "not an MCAP file"},
		2: {filepath.Base(path), "10s", "front,motors"},
		3: {filepath.Base(path), "10s", "front,motors"},
	} {
		for _, word := range words {
			if !strings.Contains(lines[line], word) {
				t.Errorf("line %d lacks %q: %s", line, word, lines[line])
			}
		}
	}
	code, out, errOut = waldo(t, "recordings", "--json", path)
	var all []recorded
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 || len(all) != 1 {
		t.Fatalf("exit code %d, %v\n%s\n%s", code, err, out, errOut)
	}
	if r := all[0]; r.Messages != 330 || !slices.Equal(r.Devices, []string{"front", "motors"}) ||
		!r.Start.Equal(recordingtest.Begin) {
		t.Errorf("%+v", r)
	}
}

// TestNameAlone: the name that the page and the list print is enough where the recorder keeps its files; a file here
// comes first, and a name that is nowhere is told together with where it was looked for.
func TestNameAlone(t *testing.T) {
	const name = "2026-11-30T07-00-00.000Z_rover_001.mcap"
	state, here := t.TempDir(), t.TempDir()
	t.Setenv("STATE_DIRECTORY", state)
	t.Chdir(here)
	if err := os.Mkdir(filepath.Join(state, "audit"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"recordings", name}, {"export", name, "--to", "out.mp4"}, {"replay", name}} {
		code, _, errOut := waldo(t, command...)
		if code == 0 || !strings.Contains(errOut, name+" is neither here nor in "+filepath.Join(state, "recordings")) {
			t.Errorf("%v: exit code %d, %s", command, code, errOut)
		}
	}
	if err := os.Mkdir(filepath.Join(state, "recordings"), 0o700); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(state, "recordings", name)
	if err := os.Rename(drive(t, name), kept); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := waldo(t, "recordings", name); code != 0 || !strings.Contains(out, "front,motors") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errOut)
	}
	if code, _, errOut := waldo(t, "export", name, "--to", "csv", "--format", "csv"); code != 0 {
		t.Errorf("exit code %d, %s", code, errOut)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := findRecordings([]string{name, "x/drive.mcap", kept}); err != nil ||
		!slices.Equal(found, []string{name, "x/drive.mcap", kept}) {
		t.Errorf("%v, %v", found, err)
	}
}

func TestExport(t *testing.T) {
	path := drive(t, "drive.mcap")
	to := filepath.Join(t.TempDir(), "csv")
	code, _, errOut := waldo(t, "export", path, "--to", to, "--format", "csv", "--device", "motors", "--until", "5s")
	if code != 0 || errOut != "wrote "+filepath.Join(to, "motors.csv")+"\n" {
		t.Fatalf("exit code %d: %s", code, errOut)
	}
	data, err := os.ReadFile(filepath.Join(to, "motors.csv"))
	if rows := strings.Count(string(data), "\r\n"); err != nil || rows != 1+15 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// TestExportDamaged: what is missing in the result because a file is damaged is told; what can be read is there.
func TestExportDamaged(t *testing.T) {
	recorded := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, recorded, 300, 100, write.Config{ChunkBytes: 4000}).Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	broken := slices.Clone(whole)
	broken[len(broken)/3] ^= 0xff
	for name, c := range map[string]struct {
		data []byte
		want bool
	}{
		"whole":           {whole, false},
		"cut":             {whole[:len(whole)/2], true},
		"a chunk changed": {broken, true},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "drive.mcap")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errOut := waldo(t, "export", path, "--to", filepath.Join(dir, "csv"), "--format", "csv")
		if told := strings.Contains(errOut, "warning: damaged, and exported as far as it can be read: "+path); code != 0 ||
			told != c.want || !strings.Contains(errOut, "motors.csv") {
			t.Errorf("%s: exit code %d, %s", name, code, errOut)
		}
	}
}

// TestExportOfNothing: of a file of which nothing can be read nothing is said to be exported, and the damage is named.
func TestExportOfNothing(t *testing.T) {
	path := drive(t, "drive.mcap")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"all of it changed": func(data []byte) []byte {
			for i := 60; i < len(data)-8; i++ {
				data[i] ^= 0x5a
			}
			return data
		},
		"no index, and all chunks changed": func(data []byte) []byte {
			x, err := index.Load(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range x.Chunks {
				for i := c.ChunkStartOffset + 60; i < c.ChunkStartOffset+c.ChunkLength; i++ {
					data[i] ^= 0x5a
				}
			}
			return data[:x.End]
		},
		"only its head is left": func(data []byte) []byte { return data[:60] },
	} {
		if err := os.WriteFile(path, change(slices.Clone(data)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"mp4", "csv"} {
			code, _, problems := waldo(t, "export", path, "--to", t.TempDir(), "--format", format)
			if code != 1 || !strings.HasPrefix(problems, "waldo: nothing was exported: there ") ||
				!strings.Contains(problems, "; damaged: "+path+": ") || strings.Contains(problems, "warning") ||
				strings.Contains(problems, "no device at all") {
				t.Errorf("%s, %s: exit code %d, %s", name, format, code, problems)
			}
		}
	}
}

func TestExportRefused(t *testing.T) {
	path := drive(t, "2026-11-30T07-00-00.000Z_rover_001.mcap")
	other := drive(t, "2026-11-30T09-00-00.000Z_rover_001.mcap")
	to := t.TempDir()
	pipe := filepath.Join(t.TempDir(), "pipe.mcap")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no target", []string{path}, 2, "missing flags: --to"},
		{"unknown format", []string{path, "--to", to, "--format", "avi"}, 2, `must be one of "mp4","csv","lerobot"`},
		{"no file", []string{"nothing.mcap", "--to", to}, 1, "nothing.mcap is neither here nor in "},
		{"no file in a folder", []string{"x/nothing.mcap", "--to", to}, 1, "x/nothing.mcap: no such file"},
		{"a pipe", []string{pipe, "--to", to}, 1, pipe + " is not a file"},
		{"a film of another sort", []string{path, "--to", filepath.Join(to, "a.AVI")}, 1, ".avi is not written"},
		{"no place for it", []string{path, "--to", "/proc/a.csv/b", "--format", "csv"}, 1, "/proc/a.csv"},
		{"no recording", []string{"export_test.go", "--to", to}, 1, "not an MCAP file"},
		{"unknown device", []string{path, "--to", to, "--device", "rear"}, 1, "front, motors"},
		{"two recordings in one film", []string{path, other, "--to", "a.mp4"}, 1, "name a folder"},
		{"no picture that can be decoded", []string{path, "--to", to}, 1,
			"front/video: H.264: a key frame has no parameter sets"},
		{"times of a dataset", []string{path, "--to", to, "--format", "lerobot", "--from", "1s"}, 1, "not for lerobot"},
		{"no Python", []string{path, "--to", to, "--format", "lerobot", "--python", "/nowhere/python"}, 1,
			"pip install './clients/python[lerobot]'"},
		{"no module", []string{path, "--to", to, "--format", "lerobot", "--python", "./testdata/no-module"}, 1,
			"has no waldo.lerobot"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, _, errOut := waldo(t, append([]string{"export"}, tt.args...)...)
			if code != tt.code || !strings.Contains(errOut, tt.want) {
				t.Errorf("exit code %d: %s", code, errOut)
			}
		})
	}
	if left, _ := os.ReadDir(to); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRecordingsOf: the files of a recording belong together, whatever their order.
func TestRecordingsOf(t *testing.T) {
	a1, a2, b := "x/2026-11-30T07-00-00.000Z_rover_001.mcap", "x/2026-11-30T07-00-00.000Z_rover_002.mcap", "x/other.mcap"
	got := recordingsOf([]string{a2, b, a1})
	if len(got) != 2 || !slices.Equal(got[0], []string{a2, a1}) || !slices.Equal(got[1], []string{b}) {
		t.Errorf("%v", got)
	}
}

// TestExportSplit: the first file of a recording stands for all, also for those that are being written, and what is
// missing in between is told.
func TestExportSplit(t *testing.T) {
	dir := t.TempDir()
	file := func(n string) string { return filepath.Join(dir, "2026-11-30T07-00-00.000Z_rover_00"+n+".mcap") }
	for _, n := range []string{"1", "3"} {
		if err := recordingtest.Record(t, file(n), 30, 100, write.Config{}).Close(); err != nil {
			t.Fatal(err)
		}
	}
	open := recordingtest.Record(t, file("4"), 60, 100, write.Config{ChunkBytes: 1000})
	defer open.Abandon()
	for deadline := time.Now().Add(time.Minute); open.Written() < 10_000 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	to := filepath.Join(dir, "csv")
	code, _, errOut := waldo(t, "export", file("1"), "--to", to, "--format", "csv")
	data, err := os.ReadFile(filepath.Join(to, "motors.csv"))
	if code != 0 || err != nil || strings.Count(string(data), "\r\n") < 1+3+3+1 {
		t.Errorf("exit code %d, %v: %s", code, err, data)
	}
	for _, want := range []string{"_002.mcap is missing", file("4") + ".part is being written: it is exported as far"} {
		if !strings.Contains(errOut, want) {
			t.Errorf("lacks %q: %s", want, errOut)
		}
	}
	if strings.Contains(errOut, "damaged") {
		t.Error(errOut)
	}
	for _, name := range []string{file("4"), file("4") + ".part"} {
		if code, out, errOut := waldo(t, "recordings", name); code != 0 || !strings.Contains(out, "being written") ||
			strings.Contains(out, "not completed") {
			t.Errorf("exit code %d: %s%s", code, out, errOut)
		}
	}
}

// TestExportDefinitions: with damage where channels are defined, in the first chunk and in the index, the others are
// exported.
func TestExportDefinitions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drive.mcap")
	if err := recordingtest.Record(t, path, 300, 100, write.Config{ChunkBytes: 4000}).Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-10] ^= 1                         // the checksum of the index
	data[bytes.Index(data, make([]byte, 100))] ^= 1 // the first picture
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "csv")
	code, _, errOut := waldo(t, "export", path, "--to", to, "--format", "csv")
	rows, err := os.ReadFile(filepath.Join(to, "motors.csv"))
	if code != 0 || err != nil || strings.Count(string(rows), "\r\n") < 20 || !strings.Contains(errOut, "damaged") {
		t.Errorf("exit code %d, %v: %s\n%s", code, err, errOut, rows)
	}
	if code, _, errOut := waldo(t, "export", path, "--to", to); code == 0 ||
		!strings.Contains(errOut, "nothing was exported: front/video: ") || !strings.Contains(errOut, "; damaged: "+path) {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}
