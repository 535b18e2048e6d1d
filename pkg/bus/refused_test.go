package bus_test

import (
	"testing"

	"github.com/waldo-robot/waldo/pkg/bus"
)

// refusals are what servers say, and what that tells. They feed the fuzz test too.
var refusals = []struct{ text, action, subject string }{
	{`nats: permissions violation: Permissions Violation for Publish to "waldo.v1.rover.Motors.in.x"`, "publish",
		"waldo.v1.rover.Motors.in.x"},
	{`Permissions Violation for Subscription to "a.>" using queue "q"`, "subscribe", "a.>"},
	{`permissions violation for publish to "a\"b"`, "publish", `a"b`},
	{`Permissions Violation for Publish with Reply of "x"`, "", ""},
	{`Permissions Violation for Publish to "x`, "", ""},
	{`Permissions Violation for Publish to "\x"`, "", ""},
	{"Authorization Violation", "", ""},
	{"", "", ""},
}

func TestRefusal(t *testing.T) {
	for _, tt := range refusals {
		action, subject, ok := bus.Refusal(tt.text)
		if action != tt.action || subject != tt.subject || ok != (tt.action != "") {
			t.Errorf("%s: %s %s, %v", tt.text, action, subject, ok)
		}
	}
}

func FuzzRefusal(f *testing.F) {
	for _, tt := range refusals {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if action, subject, ok := bus.Refusal(text); ok == (action == "") || !ok && subject != "" {
			t.Errorf("%q: %s %s, %v", text, action, subject, ok)
		}
	})
}

func TestTokenID(t *testing.T) {
	for token, want := range map[string]string{
		"waldo_abcdefghij_ABCDEFGHIJKLMNOPQRSTUVWXYZ": "abcdefghij",
		"QYX7DZSJ2EWLTF5PAUZM3N6CKA":                  "",
		"waldo_a.b_ABC":                               "",
		"waldo_>_ABC":                                 "",
		"waldo__ABC":                                  "",
		"waldo_abc":                                   "",
		"":                                            "",
	} {
		if got, ok := bus.TokenID(token); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", token, got, ok)
		}
	}
}
