package main

import (
	"regexp"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/access"
)

func TestAnnounce(t *testing.T) {
	const local, shared = "http://127.0.0.1:8080/", "http://192.0.2.5:8080/?token=sixteen-or-more%21"
	for _, tt := range []struct {
		name     string
		page     launch.Page
		terminal bool
		first    string
		code     bool
	}{
		{"log", launch.Page{URL: shared, Shared: true}, false, local, false},
		{"terminal", launch.Page{URL: shared, Shared: true}, true, shared, true},
		{"terminal, this machine only", launch.Page{URL: local + "?token=x"}, true, local + "?token=x", false},
		{"no page", launch.Page{}, true, local, false},
	} {
		var out strings.Builder
		announce(&out, local, tt.page, tt.terminal)
		first, rest, _ := strings.Cut(out.String(), "\n")
		if first != tt.first || (rest != "") != tt.code {
			t.Errorf("%s: it printed\n%s", tt.name, out.String())
		}
		if !tt.terminal && strings.Contains(out.String(), "sixteen") {
			t.Errorf("%s: the token is shown", tt.name)
		}
	}
}

// TestCode reads the code back from the characters.
func TestCode(t *testing.T) {
	const text = "http://192.168.178.123:8080/?token=QYX7DZSJ2EWLTF5PAUZM3N6CKA"
	q, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(code(text), "|")),
		"\n")
	for y := range q.Size {
		line := []rune(strings.Trim(lines[(y+2)/2], "|"))
		if len(line) != q.Size+4 {
			t.Fatalf("row %d has %d columns: a code of %d is not in its margin", y, len(line), q.Size)
		}
		for x := range q.Size {
			dark := map[int]string{0: "█▀", 1: "█▄"}[y%2]
			if got := strings.ContainsRune(dark, line[x+2]); got != q.Black(x, y) {
				t.Fatalf("column %d of row %d is dark: %v", x, y, got)
			}
		}
	}
	if len(lines) > 24 {
		t.Errorf("%d lines do not fit on a terminal", len(lines))
	}
	if long := code(strings.Repeat("x", 10_000)); long != "" {
		t.Error("there is a code of 10,000 characters")
	}
}

func TestTokenCommand(t *testing.T) {
	seen := map[string]bool{}
	for range 10 {
		code, out, _ := waldo(t, "token")
		token := strings.TrimSuffix(out, "\n")
		if _, _, err := access.Address(":8080", token); code != 0 || err != nil || access.CheckToken(token) != nil ||
			len(token) < 22 {
			t.Errorf("%d, %q: %v", code, out, err)
		}
		seen[token] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d tokens of 10 differ", len(seen))
	}
}
