package readme

import (
	"fmt"
	"strings"
	"testing"
)

// block is a fenced block of a Markdown file.
type block struct {
	line     int    // of its first line of text
	language string // the word after the fence
	text     string
}

// blocks finds the fenced blocks of a Markdown text.
func blocks(text string) (found []block) {
	var open *block
	for i, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 2, language: language}
		case fence:
			found, open = append(found, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return found
}

// file is the name of the file that a block is the content of, if a comment in its first line says so.
func (b block) file() string {
	first, _, _ := strings.Cut(strings.TrimSpace(b.text), "\n")
	name, ok := strings.CutPrefix(first, "# ")
	if !ok || strings.ContainsAny(name, " /") || !strings.Contains(name, ".") {
		return ""
	}
	return name
}

// command is one command of a block, with its continuation lines.
type command struct {
	line int
	text string
}

// commands splits a block of shell commands. It skips comments and the output of commands (JSON).
func (b block) commands() (found []command) {
	continued := false
	for i, line := range strings.Split(strings.TrimSpace(b.text), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case continued:
			found[len(found)-1].text += "\n" + line
		case trimmed == "", strings.HasPrefix(trimmed, "#"), strings.HasPrefix(trimmed, "{"):
			continue
		default:
			found = append(found, command{b.line + i, line})
		}
		continued = strings.HasSuffix(trimmed, `\`)
	}
	return found
}

func TestBlocks(t *testing.T) {
	got := fmt.Sprint(blocks("a\n```sh\none # two\n  three \\\n four\n{\"json\": 1}\n# " +
		"five\n```\n\n```\nplain\n```\n```yaml\nnever: closed\n"))
	want := "[{3 sh one # two\n  three \\\n four\n{\"json\": 1}\n# five\n} {11  plain\n}]"
	if got != want {
		t.Errorf("blocks: got %q, want %q", got, want)
	}
	got = fmt.Sprint(block{3, "sh", "one # two\n  three \\\n four\n{\"json\": 1}\n# five\n"}.commands())
	if want := "[{3 one # two} {4   three \\\n four}]"; got != want {
		t.Errorf("commands: got %q, want %q", got, want)
	}
}
