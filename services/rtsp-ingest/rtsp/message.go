package rtsp

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is a line of the head of a message.
type field struct{ name, value string }

// fields are those of a message, in their order. Names are compared without case.
type fields []field

func (f fields) get(name string) string {
	for _, one := range f {
		if strings.EqualFold(one.name, name) {
			return one.value
		}
	}
	return ""
}

func (f fields) all(name string) (values []string) {
	for _, one := range f {
		if strings.EqualFold(one.name, name) {
			values = append(values, one.value)
		}
	}
	return values
}

// number returns the value of a field that is a number, fallback if it is not.
func (f fields) number(name string, fallback int) int {
	if n, err := strconv.ParseUint(strings.TrimSpace(f.get(name)), 10, 31); err == nil {
		return int(n)
	}
	return fallback
}

// response is an answer of the camera.
type response struct {
	status int
	fields fields
	body   []byte
}

// equals tells whether another answer is the same.
func (r *response) equals(other *response) bool {
	return other != nil && r.status == other.status && slices.Equal(r.fields, other.fields) &&
		bytes.Equal(r.body, other.body)
}

// request is one of the camera's own.
type request struct {
	method string
	fields fields
}

// frame is a packet between the messages.
type frame struct {
	channel byte
	payload []byte
}

// parseHead reads the head of a message: a *response or a *request. It takes lines with and without carriage returns,
// any version, a missing text behind the status, fields without a space, with spaces around the colon, or folded over
// lines.
func parseHead(head []byte) (message any, f fields, err error) {
	first, rest, _ := bytes.Cut(head, []byte("\n"))
	words := strings.Fields(string(first))
	switch {
	case len(words) >= 2 && strings.HasPrefix(words[0], "RTSP/"):
		status, err := strconv.ParseUint(words[1], 10, 16)
		if err != nil || status < 100 || status > 999 {
			return nil, nil, fmt.Errorf("%.16q is no status", words[1])
		}
		f = parseFields(rest)
		return &response{status: int(status), fields: f}, f, nil
	case len(words) >= 2 && strings.HasPrefix(words[len(words)-1], "RTSP/"):
		f = parseFields(rest)
		return &request{method: words[0], fields: f}, f, nil
	}
	return nil, nil, fmt.Errorf("%.16q begins no message", first)
}

func parseFields(lines []byte) (f fields) {
	for line := range strings.Lines(string(lines)) {
		name, value, ok := strings.Cut(line, ":")
		switch {
		case line[0] == ' ' || line[0] == '\t':
			if last := len(f) - 1; last >= 0 && strings.TrimSpace(line) != "" {
				f[last].value += " " + strings.TrimSpace(line)
			}
		case ok:
			f = append(f, field{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	return f
}

// marshal writes a message: first is its first line.
func marshal(first string, f fields) []byte {
	var b bytes.Buffer
	b.WriteString(first)
	for _, one := range f {
		b.WriteString("\r\n" + one.name + ": " + one.value)
	}
	b.WriteString("\r\n\r\n")
	return b.Bytes()
}
