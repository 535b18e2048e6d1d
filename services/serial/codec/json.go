package codec

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// quote writes text as a JSON string.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // neither a string nor a buffer fails
	return strings.TrimSuffix(b.String(), "\n")
}

// compact checks JSON and removes white space.
func compact(text string) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return nil, bad("json", "is not JSON: %v", err)
	}
	return b.Bytes(), nil
}

// appendJSON appends a value of a record.
func appendJSON(dst []byte, value any) []byte {
	switch v := value.(type) {
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case uint64:
		return strconv.AppendUint(dst, v, 10)
	case bool:
		return strconv.AppendBool(dst, v)
	case string:
		return append(dst, quote(v)...)
	case []byte:
		return append(dst, quote(latin1(v))...)
	case float64:
		return appendFloat(dst, v)
	default:
		return append(dst, "null"...)
	}
}

// appendFloat writes the shortest number that reads back as the same; values that JSON lacks become null.
func appendFloat(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

// latin1 turns bytes into text, one character per byte.
func latin1(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// bytesOfLatin1 is the inverse; false if a character is not a byte.
func bytesOfLatin1(text string) ([]byte, bool) {
	data := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, false
		}
		data = append(data, byte(r))
	}
	return data, true
}
