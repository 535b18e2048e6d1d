package supervise

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/waldo-robot/waldo/pkg/access"
)

// style gives lines their look.
type style struct {
	width  int // of the longest name
	colors map[string]string
}

// palette has colours that are legible on dark and on light backgrounds.
var palette = []string{"36", "33", "35", "32", "34", "96", "93", "95", "92", "94"}

func newStyle(names []string, color bool) style {
	s := style{width: len("waldo")}
	if color {
		s.colors = map[string]string{}
	}
	for i, name := range names {
		s.width = max(s.width, len(name))
		if color {
			s.colors[name] = palette[i%len(palette)]
		}
	}
	return s
}

// line returns a whole line: time, name, text.
func (s style) line(t time.Time, name, text string) string {
	text = printable(access.RedactText(readable(text)))
	head := fmt.Sprintf("%s %-*s │", t.Format("15:04:05.000"), s.width, name)
	if s.colors == nil {
		return head + " " + text + "\n"
	}
	color, ok := s.colors[name]
	if !ok {
		color = "1" // bold: the supervisor itself
	}
	switch {
	case strings.HasPrefix(text, "ERROR"):
		text = "\x1b[31m" + text + "\x1b[0m"
	case strings.HasPrefix(text, "WARN"):
		text = "\x1b[33m" + text + "\x1b[0m"
	}
	return "\x1b[" + color + "m" + head + "\x1b[0m " + text + "\n"
}

// printable replaces characters that could confuse a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\t' {
			return r
		}
		return '·'
	}, strings.TrimRight(text, "\r"))
}

// slogText matches a line of slog's TextHandler.
var slogText = regexp.MustCompile(`^time=\S+ level=(\S+) msg=("(?:[^"\\]|\\.)*"|\S*)(.*)$`)

// readable turns a line of slog, text or JSON, into level, message, and the rest. Its time is left out,
// because every line gets one anyway. Other lines stay as they are.
func readable(text string) string {
	if strings.HasPrefix(text, "{") {
		return readableJSON(text)
	}
	m := slogText.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	message := m[2]
	if plain, err := strconv.Unquote(message); err == nil {
		message = plain
	}
	return fmt.Sprintf("%-5s %s%s", m[1], message, m[3])
}

// readableJSON keeps the order of the attributes, which a map would lose.
func readableJSON(text string) string {
	dec := json.NewDecoder(strings.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return text
	}
	var level, message string
	var rest strings.Builder
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return text
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return text
		}
		switch key {
		case "time":
		case "level":
			level = word(value)
		case "msg":
			_ = json.Unmarshal(value, &message) // not a string, so not a message
		default:
			fmt.Fprintf(&rest, " %s=%s", key, word(value))
		}
	}
	if level == "" {
		return text // JSON, but not of slog
	}
	return fmt.Sprintf("%-5s %s%s", level, message, rest.String())
}

// word shows a JSON value as slog's text handler does: in quotes only where it needs them.
func word(value json.RawMessage) string {
	var s string
	switch {
	case json.Unmarshal(value, &s) != nil:
		return string(value)
	case s == "" || strings.ContainsAny(s, " =\"\n"):
		return strconv.Quote(s)
	default:
		return s
	}
}
