package robot_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// spelled is a configuration with keys of several words.
type spelled struct {
	Quality int               `yaml:"jpegQuality"`
	Own     int               `yaml:"own_key"` // by somebody who likes underscores
	Inner   inner             `yaml:"innerPart"`
	Labels  map[string]string `yaml:"labels"`
	List    []inner           `yaml:"list"`
}

type inner struct {
	Gap int `yaml:"idleGap"`
}

func (s *spelled) Validate() error {
	if s.Quality > 100 {
		return robot.BadField("jpegQuality", "is out of range")
	}
	if s.Inner.Gap > 100 {
		return robot.BadField("innerPart.idleGap", "is out of range")
	}
	return nil
}

// texts are the messages of errors.
func texts(errs []error) (list []string) {
	for _, err := range errs {
		list = append(list, err.Error())
	}
	return list
}

func TestOldSpellings(t *testing.T) {
	tests := []struct {
		name, keys string
		want       spelled
		warnings   []string
		wrong      string
	}{
		{"in use", "jpegQuality: 7, own_key: 3, innerPart: {idleGap: 2}", spelled{Quality: 7, Own: 3, Inner: inner{2}}, nil,
			""},
		{"old", "jpeg_quality: 7", spelled{Quality: 7},
			[]string{`r:3: devices.f: "jpeg_quality" is an old spelling: write jpegQuality`}, ""},
		{"old, on a line of its own", "\n      jpeg_quality: 7", spelled{Quality: 7},
			[]string{`r:4: devices.f: "jpeg_quality" is an old spelling: write jpegQuality`}, ""},
		{"nested", "inner_part: {idle_gap: 2}, list: [{idleGap: 1}, {idle_gap: 2}]",
			spelled{Inner: inner{2}, List: []inner{{1}, {2}}}, []string{
				`r:3: devices.f: "inner_part" is an old spelling: write innerPart`,
				`r:3: devices.f.inner_part: "idle_gap" is an old spelling: write idleGap`,
				`r:3: devices.f.list[1]: "idle_gap" is an old spelling: write idleGap`}, ""},
		{"keys of a map are as they are", "labels: {jpeg_quality: a, jpegQuality: b}",
			spelled{Labels: map[string]string{"jpeg_quality": "a", "jpegQuality": "b"}}, nil, ""},
		{"both", "\n      jpeg_quality: 7,\n      jpegQuality: 8", spelled{}, nil,
			`r:5: devices.f: "jpegQuality" and "jpeg_quality" on line 4 are the same key: keep jpegQuality`},
		{"both, the other way round", "\n      jpegQuality: 7,\n      jpeg_quality: 8", spelled{}, nil,
			`r:5: devices.f: "jpeg_quality" and "jpegQuality" on line 4 are the same key: keep jpegQuality`},
		{"a key with underscores has no other spelling", "ownKey: 3", spelled{}, nil,
			`r:3: devices.f: unknown key "ownKey" (did you mean "own_key"?)`},
		{"neither old nor in use", "jpeg__qualty: 3", spelled{}, nil, `r:3: devices.f: unknown key "jpeg__qualty"`},
		{"an error shows the key of the file", "jpeg_quality: 101", spelled{}, nil,
			"r:3: devices.f.jpeg_quality: is out of range"},
		{"a nested one, too", "inner_part: {idle_gap: 101}", spelled{}, nil,
			"r:3: devices.f.inner_part.idle_gap: is out of range"},
		{"and one about its type", "jpeg_quality: good", spelled{}, nil,
			`r:3: devices.f.jpeg_quality: "good" is not a whole number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := device(t, tt.keys)
			var got spelled
			err := d.Decode(&got)
			if tt.wrong != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.wrong) {
					t.Errorf("%v, want %s", err, tt.wrong)
				}
				return
			}
			if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%+v, %v, want %+v", got, err, tt.want)
			}
			for range 2 { // asking changes nothing
				if warnings := texts(d.Warnings(&spelled{})); !slices.Equal(warnings, tt.warnings) {
					t.Errorf("warnings %q, want %q", warnings, tt.warnings)
				}
			}
		})
	}
}

// TestOldSpellingsUnread reads keys without knowing their struct.
func TestOldSpellingsUnread(t *testing.T) {
	old, now := device(t, "jpeg_quality: 7"), device(t, "jpegQuality: 7 ")
	if !old.Has("jpegQuality") || old.Text("jpegQuality") != "7" || now.Text("jpegQuality") != "7" ||
		now.Has("jpeg_quality") {
		t.Error("the old spelling is not found by the one in use")
	}
	if old.Meaning() != now.Meaning() {
		t.Error("a new spelling counts as a change")
	}
	if device(t, "labels: {a_b: c}").Meaning() == device(t, "labels: {aB: c}").Meaning() {
		t.Error("another key of a map does not count as a change")
	}
	old.Override("jpegQuality", "101", "--jpeg-quality")
	var config spelled
	if err := old.Decode(&config); err == nil || err.Error() != "--jpeg-quality: is out of range" {
		t.Errorf("a flag over an old spelling: %v", err)
	}
	var empty robot.Section
	if w := empty.Warnings(&config); w != nil {
		t.Errorf("an empty section: %v", w)
	}
	if w := now.Warnings(nil); w != nil {
		t.Errorf("into nothing: %v", w)
	}
}

func FuzzSpelling(f *testing.F) {
	for _, seed := range []string{"jpegQuality: 1", "jpeg_quality: 1, jpegQuality: 2", "_: 1", "a__b: {_c_: 1}",
		"inner_part: {idle_gap: 2}", "jpeg_quality: {}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, keys string) {
		r, err := robot.Parse("r", []byte("robot: a\ndevices:\n  f: {kind: a, "+keys+"}\n"))
		if err != nil {
			return
		}
		d := &r.Devices[0]
		var config spelled
		_ = d.Decode(&config) // most are wrong
		for _, w := range d.Warnings(&config) {
			var e *robot.Error
			if !errors.As(w, &e) || e.Origin == "" || e.Problem == "" {
				t.Fatalf("warning %v", w)
			}
		}
	})
}
