package recorder

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// sizes are what people write, and what it means; -1: nothing.
var sizes = map[string]Size{
	"0": 0, "1": 1, "500MB": 500e6, "1GiB": 1 << 30, "1.5 GiB": 3 << 29, " 64MiB ": 64 << 20, "10kB": 10e3, "2TB": 2e12,
	"7B": 7,
	"":   -1, "GiB": -1, "-1": -1, "1XB": -1, "NaN": -1, "1e30": -1, "1,5GB": -1, "Inf": -1,
}

func TestSize(t *testing.T) {
	for text, want := range sizes {
		var s Size
		err := s.UnmarshalText([]byte(text))
		if (err != nil) != (want < 0) || err == nil && s != want {
			t.Errorf("%q: %d, %v, want %d", text, s, err, want)
		}
	}
}

// FuzzSize: what can be read is written so that it is read as the same.
func FuzzSize(f *testing.F) {
	for text := range sizes {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Size
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || s < 0 || s < 1<<53 && again != s {
			t.Errorf("%q: %d, again %d, %v", text, s, again, err)
		}
	})
}

// TestConfig: what is wrong names the key and what to write.
func TestConfig(t *testing.T) {
	for keys, says := range map[string]string{
		"":                            "",
		"when: driven, onEStop: true": "",
		"preroll: 30s, prerollSize: 32MiB, split: {size: 0, time: 0s}, keep: {recordings: 3, free: 0, full: delete-oldest}": "",
		"record: [front, motors/rx, msg/chat], keyFrames: 0s":                                                               "",
		"when: never":            `when: "never" is unknown: use one of asked, always, driven`,
		"record: [a/b/c]":        "record[0]: ",
		"preroll: 1h":            "preroll: 1h0m0s is out of range",
		"prerollSize: 1GB2":      "is not a size",
		"prerollSize: 2GiB":      "prerollSize: 2GiB is out of range",
		"after: -1s":             "after: -1s is out of range",
		"keyFrames: 1ms":         "keyFrames: 1ms is out of range",
		"split: {size: 1kB}":     "split.size: 1000 is out of range",
		"split: {time: 1ms}":     "split.time: 1ms is out of range",
		"keep: {recordings: -1}": "keep.recordings: -1 is out of range",
		"keep: {full: explode}":  `keep.full: "explode" is unknown: use one of stop, delete-oldest`,
		"fodler: x":              `unknown key "fodler"`,
	} {
		if keys != "" {
			keys = ", " + keys
		}
		r, err := robot.Parse("robot.yaml", []byte("robot: rover\ndevices: {recorder: {kind: recorder"+keys+"}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		c := Defaults()
		err = r.Devices[0].Decode(&c)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", keys, err, says)
		}
	}
}

// TestFolder: without a key it is in the folder for state.
func TestFolder(t *testing.T) {
	c := Config{}
	environ := map[string]string{"STATE_DIRECTORY": "/var/lib/waldo"}
	if got, err := c.folder(func(key string) string { return environ[key] }); err != nil ||
		got != "/var/lib/waldo/recordings" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := c.folder(func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), "`folder`") {
		t.Errorf("without any folder: %v", err)
	}
	c.Folder = "/mnt/x"
	if got, err := c.folder(func(string) string { return "" }); err != nil || got != "/mnt/x" {
		t.Errorf("%s, %v", got, err)
	}
}

// TestNote: a note counts for a minute of one run of the machine.
func TestNote(t *testing.T) {
	r := &recorder{path: t.TempDir(), wish: wish{wanted: true, by: "anna", reason: whenAsked, token: "t"}}
	now := time.Now()
	if n := readNote(r.path); n != (note{}) {
		t.Errorf("without a note: %+v", n)
	}
	r.note()
	if w := readNote(r.path).wish(now, time.Minute); w != r.wish {
		t.Errorf("%+v, want %+v", w, r.wish)
	}
	r.wish.reason = reasonEStop
	r.note()
	if w := readNote(r.path).wish(now, time.Minute); !w.wanted || !w.until.Equal(now.Add(time.Minute)) {
		t.Errorf("of an e-stop: %+v", w)
	}
	if w := (note{By: "drive", Reason: whenDriven}).wish(now, 0); !w.until.After(now) {
		t.Errorf("of a drive: %+v", w)
	}
	changed := func(change func(*note)) {
		n, _ := r.noteNow()
		n.Boot, _ = boottime.Run()
		change(&n)
		data, err := json.Marshal(n)
		if err := errors.Join(err, os.WriteFile(filepath.Join(r.path, noteFile), data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for what, change := range map[string]func(*note){
		"of another run of the machine": func(n *note) { n.Boot = "x" },
		"too old":                       func(n *note) { n.At -= noteLife + time.Second },
		"from the future":               func(n *note) { n.At += time.Hour },
	} {
		changed(change)
		if n := readNote(r.path); n != (note{}) {
			t.Errorf("%s: %+v", what, n)
		}
	}
	changed(func(n *note) { n.Recording, n.Crashes = "x", 3 })
	if n := readNote(r.path); n.Recording != "x" || n.Crashes != 3 {
		t.Errorf("%+v", n)
	}
	r.wish.wanted = false
	r.note()
	if n := readNote(r.path); n != (note{}) {
		t.Errorf("nothing is wanted: %+v", n)
	}
}
