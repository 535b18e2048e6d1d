package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/services/serial/pystruct"
)

// Record reads and writes messages of a struct format.
type Record struct {
	format *pystruct.Format
	fields []pystruct.Field
	keys   []string // empty, or one for each field
}

// KeysError means that the keys do not fit the format.
type KeysError struct{ problem string }

// Error describes the fault and its remedy.
func (e *KeysError) Error() string { return e.problem }

// NewRecord returns a codec for a struct format. Keys name its values; without keys their order
// identifies them. The error is a *KeysError if the keys are wrong.
func NewRecord(format string, keys []string) (*Record, error) {
	f, err := pystruct.Parse(format)
	if err != nil {
		return nil, err
	}
	fields := f.Fields()
	switch {
	case len(fields) == 0:
		return nil, fmt.Errorf("the format %q has no values", format)
	case len(keys) > 0 && len(keys) != len(fields):
		return nil, &KeysError{fmt.Sprintf("the format %q has %d values, but there are %d keys: name every value, or none",
			format, len(fields), len(keys))}
	}
	for i, key := range keys {
		if key == "" || slices.Contains(keys[:i], key) {
			return nil, &KeysError{fmt.Sprintf("the key %q is empty or given twice: give each value its own name", key)}
		}
	}
	return &Record{f, fields, keys}, nil
}

// Size is the number of bytes of a payload.
func (c *Record) Size() int { return c.format.Size() }

// Infos describes the values.
func (c *Record) Infos() []*serialv1.FieldInfo {
	infos := make([]*serialv1.FieldInfo, len(c.fields))
	for i, f := range c.fields {
		infos[i] = &serialv1.FieldInfo{Key: c.key(i), Format: string(f.Char), Whole: f.Whole, Minimum: f.Min, Maximum: f.Max}
	}
	return infos
}

// key is the name of a value, "" if it has none.
func (c *Record) key(i int) string {
	if len(c.keys) == 0 {
		return ""
	}
	return c.keys[i]
}

// label names a value in an error.
func (c *Record) label(i int) string {
	if len(c.keys) == 0 {
		return "value " + strconv.Itoa(i)
	}
	return c.keys[i]
}

// Read implements [Reader].
func (c *Record) Read(data []byte, into *serialv1.SerialMessage) error {
	values, err := c.format.Unpack(data)
	if err != nil {
		return err
	}
	record := &serialv1.Record{Fields: make([]*serialv1.Field, len(values))}
	for i, v := range values {
		record.Fields[i] = &serialv1.Field{Key: c.key(i), Value: typed(v)}
	}
	into.Body, into.Json = &serialv1.SerialMessage_Record{Record: record}, c.json(values)
	return nil
}

// typed converts a value of package pystruct to the API's type.
func typed(value any) *serialv1.Value {
	switch v := value.(type) {
	case int64:
		return &serialv1.Value{Kind: &serialv1.Value_Integer{Integer: v}}
	case uint64:
		return &serialv1.Value{Kind: &serialv1.Value_LargeInteger{LargeInteger: v}}
	case float64:
		return &serialv1.Value{Kind: &serialv1.Value_Number{Number: v}}
	case bool:
		return &serialv1.Value{Kind: &serialv1.Value_Boolean{Boolean: v}}
	case []byte:
		return &serialv1.Value{Kind: &serialv1.Value_Raw{Raw: v}}
	case string:
		return &serialv1.Value{Kind: &serialv1.Value_Text{Text: v}}
	}
	return &serialv1.Value{}
}

// plain is the inverse; nil for a value that is not set.
func plain(v *serialv1.Value) any {
	switch k := v.GetKind().(type) {
	case *serialv1.Value_Integer:
		return k.Integer
	case *serialv1.Value_LargeInteger:
		return k.LargeInteger
	case *serialv1.Value_Number:
		return k.Number
	case *serialv1.Value_Boolean:
		return k.Boolean
	case *serialv1.Value_Raw:
		return k.Raw
	case *serialv1.Value_Text:
		return k.Text
	}
	return nil
}

// json writes values as an object by key, or an array in order.
func (c *Record) json(values []any) string {
	open, end := byte('['), byte(']')
	if len(c.keys) > 0 {
		open, end = '{', '}'
	}
	text := []byte{open}
	for i, v := range values {
		if i > 0 {
			text = append(text, ',')
		}
		if len(c.keys) > 0 {
			text = append(append(text, quote(c.keys[i])...), ':')
		}
		text = appendJSON(text, v)
	}
	return string(append(text, end))
}

// JSON implements [Writer].
func (c *Record) JSON(payload []byte) string {
	values, err := c.format.Unpack(payload)
	if err != nil {
		return "null"
	}
	return c.json(values)
}

// Write implements [Writer].
func (c *Record) Write(r *serialv1.WriteMessageRequest) ([]byte, error) {
	var values []any
	var err error
	switch body := r.GetBody().(type) {
	case *serialv1.WriteMessageRequest_Record:
		values, err = c.ofRecord(body.Record)
	case *serialv1.WriteMessageRequest_Json:
		values, err = c.ofJSON(body.Json)
	case *serialv1.WriteMessageRequest_Raw:
		if len(body.Raw) != c.Size() {
			return nil, bad("raw", "has %d bytes: a message of the format %q has %d", len(body.Raw), c.format, c.Size())
		}
		return body.Raw, nil
	case *serialv1.WriteMessageRequest_Line:
		return nil, bad("line", "this board takes messages of the format %q: send record, json or raw", c.format)
	default:
		return nil, bad("body", "there is no message: set record, json or raw")
	}
	if err != nil {
		return nil, err
	}
	return c.pack(values)
}

func (c *Record) pack(values []any) ([]byte, error) {
	payload, err := c.format.Pack(values...)
	var wrong *pystruct.ValueError
	switch {
	case errors.As(err, &wrong) && wrong.Index >= 0 && wrong.Index < len(c.fields):
		return nil, bad(c.label(wrong.Index), "%s", wrong.Problem)
	case err != nil:
		return nil, bad("", "%v", err)
	}
	return payload, nil
}

// ofRecord takes the values of a record by their keys, or in order if it has none.
func (c *Record) ofRecord(r *serialv1.Record) ([]any, error) {
	named := slices.ContainsFunc(r.GetFields(), func(f *serialv1.Field) bool { return f.GetKey() != "" })
	if !named {
		values := make([]any, len(r.GetFields()))
		for i, f := range r.GetFields() {
			values[i] = plain(f.GetValue())
		}
		return values, c.checkCount(len(values))
	}
	byKey := make(map[string]any, len(r.GetFields()))
	for _, f := range r.GetFields() {
		if _, twice := byKey[f.GetKey()]; twice {
			return nil, bad(f.GetKey(), "is given twice")
		}
		byKey[f.GetKey()] = plain(f.GetValue())
	}
	return byKeys(c, byKey, func(_ int, v any) (any, error) { return v, nil })
}

// ofJSON takes the values of an object by their keys, or of an array in order.
func (c *Record) ofJSON(text string) ([]any, error) {
	trimmed := strings.TrimSpace(text)
	if strings.HasPrefix(trimmed, "[") {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(trimmed), &list); err != nil {
			return nil, bad("json", "is not JSON: %v", err)
		}
		if err := c.checkCount(len(list)); err != nil {
			return nil, err
		}
		values := make([]any, len(list))
		for i, raw := range list {
			var err error
			if values[i], err = c.ofJSONValue(i, raw); err != nil {
				return nil, err
			}
		}
		return values, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(trimmed), &object); err != nil {
		return nil, bad("json", "is neither an object by key nor an array of values in order: %v", err)
	}
	return byKeys(c, object, c.ofJSONValue)
}

// byKeys puts values into the order of the format. Its error lists everything that is missing or unknown.
func byKeys[V any](c *Record, given map[string]V, convert func(i int, v V) (any, error)) ([]any, error) {
	if len(c.keys) == 0 {
		return nil, bad("", "the values of this board have no names: send all %d in order", len(c.fields))
	}
	values := make([]any, len(c.keys))
	var missing []string
	for i, key := range c.keys {
		v, ok := given[key]
		if !ok {
			missing = append(missing, key)
			continue
		}
		var err error
		if values[i], err = convert(i, v); err != nil {
			return nil, err
		}
	}
	for key := range given {
		if !slices.Contains(c.keys, key) {
			return nil, bad(fmt.Sprintf("%.64q", key), "is not a key of this board; there are: %s", strings.Join(c.keys, ", "))
		}
	}
	if len(missing) > 0 {
		return nil, bad(strings.Join(missing, ", "), "missing: a message has all of %s", strings.Join(c.keys, ", "))
	}
	return values, nil
}

func (c *Record) checkCount(n int) error {
	if n != len(c.fields) {
		return bad("", "%d values are given: a message of the format %q has %d", n, c.format, len(c.fields))
	}
	return nil
}

// ofJSONValue reads one value. Whole numbers stay whole, and are required where the format has them.
func (c *Record) ofJSONValue(i int, raw json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, bad(c.label(i), "is not JSON: %v", err)
	}
	_, boolean := value.(bool)
	if flag := c.fields[i].Char == '?'; flag != boolean {
		return nil, bad(c.label(i), "%.64s does not fit: send %s", raw,
			map[bool]string{true: "true or false", false: "a number, or a string for bytes"}[flag])
	}
	switch v := value.(type) {
	case bool:
		return v, nil
	case string:
		data, ok := bytesOfLatin1(v)
		if !ok {
			return nil, bad(c.label(i), "has a character above U+00FF: a character stands for a byte")
		}
		return data, nil
	case json.Number:
		return c.number(i, v.String())
	}
	return nil, bad(c.label(i), "%.64s is not a value: send a number, or a string for bytes", raw)
}

func (c *Record) number(i int, text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, nil
	}
	if c.fields[i].Whole {
		return nil, bad(c.label(i), "%.64s is not a whole number that fits: use %s to %s", text, limit(c.fields[i].Min),
			limit(c.fields[i].Max))
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, bad(c.label(i), "%.64s is too large", text)
	}
	return n, nil
}

func limit(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Same implements [Writer]: 0.0 and -0.0 mean the same.
func (c *Record) Same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := c.format.Unpack(a)
	y, errY := c.format.Unpack(b)
	if errX != nil || errY != nil {
		return false
	}
	return slices.EqualFunc(x, y, func(p, q any) bool {
		if s, ok := p.([]byte); ok {
			return bytes.Equal(s, q.([]byte))
		}
		return p == q
	})
}

// Blend implements [Writer].
func (c *Record) Blend(from, to []byte, share float64) []byte {
	x, errX := c.format.Unpack(from)
	y, errY := c.format.Unpack(to)
	if errX != nil || errY != nil || share >= 1 {
		return to
	}
	for i := range y {
		y[i] = blend(x[i], y[i], share)
	}
	payload, err := c.format.Pack(y...)
	if err != nil {
		return to
	}
	return payload
}

// blend returns a value between two numbers, and of other values the latter.
func blend(from, to any, share float64) any {
	switch b := to.(type) {
	case int64:
		if a, ok := from.(int64); ok {
			return int64(math.Round(float64(a) + (float64(b)-float64(a))*share))
		}
	case float64:
		if a, ok := from.(float64); ok && !math.IsNaN(a) && !math.IsInf(a, 0) {
			return a + (b-a)*share
		}
	}
	return to
}
