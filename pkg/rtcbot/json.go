package rtcbot

import (
	"bytes"
	"encoding/json"
)

// ToTopic returns what RTCBot has written as JSON. Text that is not JSON, not even Python's, is a string.
func ToTopic(text []byte) []byte {
	if json.Valid(text) {
		return text
	}
	if plain := nullNumbers(text); plain != nil && json.Valid(plain) {
		return plain
	}
	return quote(text)
}

// FromTopic returns the text of a topic as RTCBot reads it: as JSON, or, if it is to be raw, with strings as they are.
func FromTopic(text []byte, raw bool) []byte {
	if !json.Valid(text) {
		if raw {
			return text
		}
		return quote(text)
	}
	var s string
	if raw && json.Unmarshal(text, &s) == nil && !bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		return []byte(s)
	}
	return text
}

// quote returns text as a JSON string.
func quote(text []byte) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(text)) // a string can always be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// numbers are what Python's json writes for what is no number in JSON.
var numbers = [][]byte{[]byte("NaN"), []byte("-Infinity"), []byte("Infinity")}

// nullNumbers replaces Python's numbers outside of strings by null; nil if there are none.
func nullNumbers(text []byte) []byte {
	var out []byte
	done, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted:
			for _, n := range numbers {
				if bytes.HasPrefix(text[i:], n) {
					out = append(append(out, text[done:i]...), "null"...)
					i += len(n) - 1
					done = i + 1
					break
				}
			}
		}
	}
	if done == 0 {
		return nil
	}
	return append(out, text[done:]...)
}
