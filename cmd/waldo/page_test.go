package main

import (
	"image"
	"image/draw"
	"regexp"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

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

// TestCode has another program's library scan the terminal.
func TestCode(t *testing.T) {
	for _, text := range []string{
		"http://192.168.178.123:8080/?token=QYX7DZSJ2EWLTF5PAUZM3N6CKA",
		"http://192.168.178.123:8443/trust",
		"http://[fd12:3456:789a::1]:8080/trust",
	} {
		shown := code(text)
		if got, err := scan(shown); err != nil || got != text {
			t.Errorf("the code of %s is read as %q: %v", text, got, err)
		}
		if lines := strings.Count(shown, "\n"); lines > 24 {
			t.Errorf("%d lines do not fit on a terminal", lines)
		}
	}
	if long := code(strings.Repeat("x", 10_000)); long != "" {
		t.Error("there is a code of 10,000 characters")
	}
}

// scan reads a code as a camera sees it on a terminal.
func scan(shown string) (text string, err error) {
	const dot = 8 // pixels
	lines := strings.Split(strings.TrimSuffix(regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(shown, ""), "\n"),
		"\n")
	picture := image.NewGray(image.Rect(0, 0, len([]rune(lines[0]))*dot, 2*len(lines)*dot))
	draw.Draw(picture, picture.Rect, image.White, image.Point{}, draw.Src)
	for y, line := range lines {
		for x, r := range []rune(line) {
			for half, dark := range []string{"█▀", "█▄"} {
				if strings.ContainsRune(dark, r) {
					square := image.Rect(0, 0, dot, dot).Add(image.Pt(x*dot, (2*y+half)*dot))
					draw.Draw(picture, square, image.Black, image.Point{}, draw.Src)
				}
			}
		}
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", err
	}
	found, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		return "", err
	}
	return found.GetText(), nil
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
