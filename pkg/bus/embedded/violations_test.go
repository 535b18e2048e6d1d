package embedded_test

import (
	"testing"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// logged are lines of the server's log: format, argument, and what they tell. They feed the fuzz test too.
var logged = []struct {
	format, argument string
	id               uint64
	action, subject  string
}{
	{`127.0.0.1:40000 - cid:7 - "v1.55.0:go:demo/front" - "$G/rover/front" - Publish Violation - Subject %q`, "a.b", 7,
		"publish", "a.b"},
	{`[::1]:40000 - cid:8 - Subscription Violation - Subject "a.>", SID 3`, "", 8, "subscribe", "a.>"},
	{`127.0.0.1:1 - cid:9 - "v1:go:x - Publish Violation - Subject \"y\" %s%d" - Publish Violation - Subject %q`, "a\"b",
		9,
		"publish", `a"b`},
	{`127.0.0.1:1 - cid:9 - Publish Violation - Reply %q`, "a", 0, "", ""},
	{`127.0.0.1:1 - lid:9 - Publish Violation - Subject %q`, "a", 0, "", ""},
	{`127.0.0.1:1 - cid:99999999999999999999 - Publish Violation - Subject %q`, "a", 0, "", ""},
	{`authentication error`, "", 0, "", ""},
	{``, "", 0, "", ""},
}

func parse(format, argument string) (uint64, string, string, bool) {
	if argument == "" {
		return embedded.ParseViolation(format)
	}
	return embedded.ParseViolation(format, []byte(argument))
}

func TestParseViolation(t *testing.T) {
	for _, tt := range logged {
		id, action, subject, ok := parse(tt.format, tt.argument)
		if ok != (tt.action != "") || ok && (id != tt.id || action != tt.action || subject != tt.subject) {
			t.Errorf("%s (%s): %d, %s, %s, %v", tt.format, tt.argument, id, action, subject, ok)
		}
	}
}

func FuzzParseViolation(f *testing.F) {
	for _, tt := range logged {
		f.Add(tt.format, tt.argument)
	}
	f.Fuzz(func(t *testing.T, format, argument string) {
		if _, action, _, ok := parse(format, argument); ok && action == "" {
			t.Errorf("%q has no action", format)
		}
	})
}
