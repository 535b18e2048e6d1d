package text_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/text"
)

// texts pairs text from others with what is shown.
var texts = []struct{ said, shown string }{
	{"", ""},
	{"Ann", "Ann"},
	{"Zoë on Firefox 3f2a, Jürgen, 山田, 🤖", "Zoë on Firefox 3f2a, Jürgen, 山田, 🤖"},
	{"e\u0301", "e\u0301"}, // a letter and its mark
	{`a\b"c`, `a\b"c`},
	{"a\nb", `a\u000ab`},
	{"\x1b[2J\x1b]0;gone\a", `\u001b[2J\u001b]0;gone\u0007`},
	{"\u009b31m", `\u009b31m`},
	{"abc\u202ednE\u2066", `abc\u202ednE\u2066`},
	{"a\u00a0b\u2028c\u200bd\ufeff", `a\u00a0b\u2028c\u200bd\ufeff`},
	{"a\xffb", `a\ufffdb`},
	{"a\ufffdb", "a\ufffdb"},
	{"\U000e0041", `\udb40\udc41`},
	{"\x7f\x00", `\u007f\u0000`},
}

func TestPrintable(t *testing.T) {
	for _, tt := range texts {
		if got := text.Printable(tt.said); got != tt.shown {
			t.Errorf("%q is shown as %q, want %q", tt.said, got, tt.shown)
		}
		if got := text.IsPrintable(tt.said); got != (tt.said == tt.shown) {
			t.Errorf("%q is printable: %v", tt.said, got)
		}
	}
}

// TestWriter: lines and columns are kept, and the meaning of JSON.
func TestWriter(t *testing.T) {
	var b strings.Builder
	w := text.NewWriter(&b)
	if n, err := w.Write([]byte("a\tb\n\x1b[1m\n")); n != 9 || err != nil || b.String() != "a\tb\n\\u001b[1m\n" {
		t.Errorf("%d, %v, %q", n, err, b.String())
	}
	for _, tt := range texts {
		b.Reset()
		if err := json.NewEncoder(w).Encode(tt.said); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal([]byte(b.String()), &got); err != nil || got != strings.ToValidUTF8(tt.said, "\ufffd") {
			t.Errorf("%q becomes %s, which is %q, %v", tt.said, b.String(), got, err)
		}
	}
	if n, err := text.NewWriter(broken{}).Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("a broken writer: %d, %v", n, err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func FuzzPrintable(f *testing.F) {
	for _, tt := range texts {
		f.Add(tt.said)
	}
	f.Fuzz(func(t *testing.T, said string) {
		shown := text.Printable(said)
		if !text.IsPrintable(shown) || text.IsPrintable(said) && shown != said || text.Printable(shown) != shown {
			t.Errorf("%q is shown as %q", said, shown)
		}
	})
}
