package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"rsc.io/qr"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
)

// announce prints where the page is. Scripts and logs get its URL on this machine; a terminal, where a
// person reads it, gets the URL that other machines can open, with the token in it, and a QR code for a
// phone.
func announce(out io.Writer, local string, page launch.Page, terminal bool) {
	if !terminal || page.URL == "" {
		_, _ = fmt.Fprintln(out, local)
		return
	}
	text := page.URL + "\n"
	if page.Shared {
		text += code(page.URL)
	}
	_, _ = io.WriteString(out, text) // in one write: log lines go to the same terminal
}

// code returns a text as a QR code of terminal characters, dark on light regardless of the terminal's
// colours. Each line holds two rows of the code. It is empty if the text is too long.
func code(text string) string {
	q, err := qr.Encode(text, qr.L)
	if err != nil {
		return ""
	}
	const quiet = 2 // the light margin that scanners need
	var b strings.Builder
	for y := -quiet; y < q.Size+quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -quiet; x < q.Size+quiet; x++ {
			switch upper, lower := q.Black(x, y), q.Black(x, y+1); {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}

// isTerminal tells whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// hasColors tells whether colours can be shown.
func hasColors(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }
