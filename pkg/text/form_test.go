package text_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/text"
)

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func FuzzIsName(f *testing.F) {
	for _, name := range []string{
		"", "a", "-", "0", "a-b", "-a", "a-", "a--b", "A", "a_b", "a.b", "\u00e9", "a\n", "a\x00", "\xff",
		strings.Repeat("a", 63), strings.Repeat("a", 64), "a" + strings.Repeat("-", 61) + "b",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got, want := text.IsName(name), nameForm.MatchString(name); got != want {
			t.Errorf("%q is a name: %v, want %v", name, got, want)
		}
	})
}

func TestPattern(t *testing.T) {
	digits := text.Pattern(`^[0-9]+$`)
	if first := digits(); first != digits() || !first.MatchString("12") || first.MatchString("x") {
		t.Error("the pattern is compiled twice, or wrongly")
	}
}
