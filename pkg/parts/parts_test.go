package parts

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// messages are sent in frames of at most 8 bytes.
var messages = []struct {
	name, text string
	frames     int
}{
	{"none", "", 1},
	{"small", `{"a":1}`, 1},
	{"as large as a frame", `{"ab":1}`, 1},
	{"larger by a byte", `{"abc":1}`, 2},
	{"three parts", `{"abcdefghijklm":1}`, 3},
	{"runes that do not fit", `{"äöü€€€😀😀":"😀"}`, 6},
	{"signs of parts within", `{"+":"..++..++..+"}`, 3},
}

func join(t *testing.T, j *Joiner, message []byte, most int) (joined []byte, frames int) {
	t.Helper()
	for frame := range Split(message, most) {
		frames++
		if len(frame) > most || !utf8.Valid(frame) {
			t.Errorf("frame %q", frame)
		}
		got, complete, err := j.Add(frame)
		if err != nil {
			t.Fatal(err)
		}
		if complete {
			joined = bytes.Clone(got)
		}
	}
	return joined, frames
}

func TestParts(t *testing.T) {
	j := NewJoiner(100)
	for _, tt := range messages {
		joined, frames := join(t, j, []byte(tt.text), 8)
		if string(joined) != tt.text || frames != tt.frames {
			t.Errorf("%s: %q in %d frames, want %d", tt.name, joined, frames, tt.frames)
		}
	}
}

func TestSplitEnds(t *testing.T) {
	for range Split([]byte(strings.Repeat("x", 100)), 8) {
		break // and nothing is yielded after it
	}
}

func TestJoinerRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		frames []string
		says   string
	}{
		{"too large", []string{strings.Repeat("x", 101)}, "100 bytes"},
		{"too large in parts", []string{"+" + strings.Repeat("x", 60), "." + strings.Repeat("x", 60)}, "100 bytes"},
		{"endless", []string{"+" + strings.Repeat("x", 60), "+" + strings.Repeat("x", 60)}, "100 bytes"},
		{"another in between", []string{"+{", "{}"}, "last part"},
		{"another after an empty part", []string{"+", "{}"}, "last part"},
	} {
		j := NewJoiner(100)
		var err error
		for _, frame := range tt.frames {
			_, _, err = j.Add([]byte(frame))
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzParts(f *testing.F) {
	for _, tt := range messages {
		f.Add(tt.text, 8)
	}
	f.Fuzz(func(t *testing.T, text string, most int) {
		if !utf8.ValidString(text) || most < 5 || most > 1000 || strings.HasPrefix(text, "+") ||
			strings.HasPrefix(text, ".") {
			t.Skip()
		}
		if joined, _ := join(t, NewJoiner(len(text)), []byte(text), most); string(joined) != text {
			t.Errorf("%q became %q", text, joined)
		}
	})
}

func FuzzJoiner(f *testing.F) {
	f.Add([]byte("+{"), []byte(".}"))
	f.Add([]byte("{}"), []byte(""))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		j := NewJoiner(64)
		for _, frame := range [][]byte{first, second} {
			message, complete, err := j.Add(frame)
			if err != nil {
				return
			}
			if len(message) > 64 || !complete && message != nil {
				t.Errorf("%q, %t", message, complete)
			}
		}
	})
}
