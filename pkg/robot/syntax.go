package robot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// maxTries bounds how often a file with an error is read again to find out more about it.
	maxTries = 40
	// maxTriedBytes is the largest file for which that is done.
	maxTriedBytes = 64 << 10
)

var yamlError = text.Pattern(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// syntaxError says where the text is no YAML, and what would help. The reader of YAML gives the line where a list or
// mapping in brackets begins, and counts it from 0.
func syntaxError(name string, data []byte, err error) error {
	line, problem := readError(err)
	if len(data) > maxTriedBytes {
		return &Error{Origin: fmt.Sprintf("%s:%d", name, max(1, line)), Problem: problem + remedy(problem)}
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	begin := min(max(1, line), len(lines))
	line = firstBad(lines, begin, problem)
	for n := max(begin, line-1); n <= line; n++ { // what goes wrong can show on the next line only
		if key, value := unquoted(lines, n, line); key != "" {
			return &Error{Origin: fmt.Sprintf("%s:%d", name, n), Problem: needsQuotes(key, value)}
		}
	}
	return &Error{Origin: fmt.Sprintf("%s:%d", name, line), Problem: problem + remedy(problem)}
}

// needsQuotes does not show the value, which can be a password.
func needsQuotes(key, value string) string {
	problem := fmt.Sprintf(`the value of %s needs quotes, like %s: "…", since it has characters with a meaning in YAML`,
		key, key)
	switch {
	case strings.HasPrefix(value, `"`), strings.HasPrefix(value, "'"):
		problem += "; it begins with a quotation mark that is not closed, or goes on behind the closing one"
	case strings.Contains(value, "${"):
		problem += "; variables are not replaced here, so write the value itself"
	case strings.Contains(value, ": "):
		problem += "; if another key begins in it, put a comma before that, or give it a line of its own"
	}
	return problem
}

// readError takes an error of the reader of YAML apart; line is 0 if it has none.
func readError(err error) (line int, problem string) {
	m := yamlError().FindStringSubmatch(err.Error())
	if m == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(m[1])
	return line, m[2]
}

// parses returns what is wrong with a text as YAML, if anything.
func parses(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// firstBad returns the line with which the problem comes up, looking from line on.
func firstBad(lines [][]byte, line int, problem string) int {
	last := min(len(lines), line+maxTries)
	for n := line; n <= last; n++ {
		err := parses(bytes.Join(lines[:n], nil))
		if err == nil {
			continue
		}
		if _, found := readError(err); found == problem {
			return n
		}
	}
	return min(line, len(lines))
}

// candidate is a value in a line that could lack quotes.
type candidate struct {
	key        string
	start, end int
}

var (
	keyForm  = text.Pattern(`([A-Za-z_][A-Za-z0-9_-]*):[ \t]+`)
	valueEnd = text.Pattern(`[,\]}]|[ \t]|\r?\n|$`)
)

// unquoted returns the shortest value in the line that makes the text right, at least up to the line that is bad, if it
// is put in quotes, and its key.
func unquoted(lines [][]byte, line, bad int) (key, value string) {
	text := string(lines[line-1])
	all := candidates(text)
	for _, c := range all[:min(len(all), maxTries)] {
		value := text[c.start:c.end]
		tried := slices.Clone(lines)
		tried[line-1] = []byte(text[:c.start] + strconv.Quote(value) + text[c.end:])
		if parses(bytes.Join(tried, nil)) == nil || parses(bytes.Join(tried[:bad], nil)) == nil {
			return c.key, value
		}
	}
	return "", ""
}

// likely tells whether a value could be text. One that is a list or a mapping is not, nor one that takes a bracket from
// around it.
func likely(value string) bool {
	depth := 0
	for i, c := range value {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if last := i == len(value)-1; last && depth < 0 && strings.ContainsRune("}]", c) {
			return false
		}
	}
	if depth > 0 {
		return false
	}
	opened := strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[")
	return !opened || !strings.HasSuffix(value, "}") && !strings.HasSuffix(value, "]")
}

// candidates lists all values of the line, the shortest first.
func candidates(text string) []candidate {
	var all []candidate
	for _, at := range keyForm().FindAllStringSubmatchIndex(text, maxTries) {
		start := at[1]
		for _, end := range valueEnd().FindAllStringIndex(text[start:], maxTries) {
			if end[0] > 0 && likely(text[start:start+end[0]]) {
				all = append(all, candidate{text[at[2]:at[3]], start, start + end[0]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.end-a.start, b.end-b.start) })
	return all
}

// remedies are what helps, by what the reader of YAML says.
var remedies = []struct{ said, help string }{
	{"cannot start any token", "indent with spaces, not with tabs; quote text that begins with a special character"},
	{"did not find expected ','", "a comma or the closing bracket is missing, or text with special characters needs " +
		"quotes"},
	{"did not find expected node content", "a value or a closing bracket is missing, or text with special characters " +
		"needs quotes"},
	{"did not find expected key", "the line is indented otherwise than the keys it belongs to, or has a bracket too many"},
	{"mapping values are not allowed", "text with a colon and a space needs quotes; a nested key needs a line of its own"},
	{"unexpected end of stream", "a quotation mark is not closed"},
	{"unknown anchor", "anchors and aliases are not supported; quote text that begins with *"},
}

func remedy(problem string) string {
	for _, r := range remedies {
		if strings.Contains(problem, r.said) {
			return " (" + r.help + ")"
		}
	}
	return ""
}
