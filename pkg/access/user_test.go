package access_test

import (
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
)

func TestUser(t *testing.T) {
	for name, want := range map[string]string{"anna": "anna", "": "", "a\x1b[2J": "", strings.Repeat("x", 65): "",
		"Zoë B.": "Zoë B."} {
		if got := access.User(access.WithUser(t.Context(), name)); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

func TestFrom(t *testing.T) {
	for address, want := range map[string]string{"10.0.0.7:4711": "10.0.0.7:4711", "[fe80::1%eth0]:1": "[fe80::1%eth0]:1",
		"": "", "a\x1b[2J": "", strings.Repeat("x", 129): ""} {
		if got := access.From(access.WithFrom(t.Context(), address)); got != want {
			t.Errorf("%q became %q, want %q", address, got, want)
		}
	}
}

func TestNamed(t *testing.T) {
	for _, tt := range [][3]string{{"anna", "Chrome 3f2a", "anna (Chrome 3f2a)"}, {"anna", "", "anna"},
		{"", "Chrome", "Chrome"},
		{"", "", ""}} {
		if got := access.Named(tt[0], tt[1]); got != tt[2] {
			t.Errorf("Named(%q, %q) = %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}
