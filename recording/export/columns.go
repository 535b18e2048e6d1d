package export

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/waldo-robot/waldo/pkg/descriptors"
)

const (
	// maxDepth is how deep messages in messages become columns; what is deeper is JSON.
	maxDepth = 4
	// maxColumns bounds the columns of a message, and the keys of a text that is JSON.
	maxColumns = 512
)

// columns is how messages of a type become rows.
type columns struct {
	all []*column
}

// column is a field, or a field of a field.
type column struct {
	name string
	path []protoreflect.FieldDescriptor
	keys []string // of a text that is a JSON object: a column for each
	seen map[string]bool
}

func newColumns(t protoreflect.MessageDescriptor) *columns {
	c := &columns{}
	c.add(t, nil, "")
	return c
}

// add adds the fields of a message.
func (c *columns) add(t protoreflect.MessageDescriptor, path []protoreflect.FieldDescriptor, prefix string) {
	for i := range t.Fields().Len() {
		f := t.Fields().Get(i)
		here := slices.Concat(path, []protoreflect.FieldDescriptor{f})
		name := prefix + string(f.Name())
		if nested(f) && len(here) < maxDepth && len(c.all)+f.Message().Fields().Len() < maxColumns {
			c.add(f.Message(), here, name+".")
			continue
		}
		c.all = append(c.all, &column{name: name, path: here, seen: map[string]bool{}})
	}
}

// nested reports whether a field becomes columns of its own.
func nested(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && !f.IsList() && !f.IsMap() && f.Message().Fields().Len() > 0 &&
		!strings.HasPrefix(string(f.Message().FullName()), "google.protobuf.")
}

// isText reports whether a column may have JSON, as boards' messages have.
func (c *column) isText() bool {
	f := c.path[len(c.path)-1]
	name := string(f.Name())
	return f.Kind() == protoreflect.StringKind && !f.IsList() && (name == "json" || strings.HasSuffix(name, "_json"))
}

// texts returns the columns that may have JSON.
func (c *columns) texts() (found []*column) {
	for _, one := range c.all {
		if one.isText() {
			found = append(found, one)
		}
	}
	return found
}

// learn finds out which keys a message has in texts that are JSON.
func (c *columns) learn(m protoreflect.Message) {
	for _, one := range c.texts() {
		v, ok := one.value(m)
		if !ok {
			continue
		}
		for _, e := range entries(v.String()) {
			if !one.seen[e.key] && len(one.keys) < maxColumns {
				one.seen[e.key] = true
				one.keys = append(one.keys, e.key)
			}
		}
	}
}

// entry is a key of an object, or a place of an array, and what is there.
type entry struct {
	key   string
	value json.RawMessage
}

// entries returns those of an object or array, in their order; nil for what is neither.
func entries(text string) (all []entry) {
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		e := entry{key: strconv.Itoa(len(all))}
		if text[0] == '{' {
			key, err := d.Token()
			if err != nil {
				return nil
			}
			e.key = fmt.Sprint(key)
		}
		if d.Decode(&e.value) != nil {
			return nil
		}
		all = append(all, e)
	}
	return all
}

// names returns the names of the columns.
func (c *columns) names() (names []string) {
	for _, one := range c.all {
		names = append(names, one.name)
		for _, key := range one.keys {
			names = append(names, one.name+"."+key)
		}
	}
	return names
}

// values returns what a message has in the columns; empty for what is not set.
func (c *columns) values(set *descriptors.Set, m protoreflect.Message) (row []string) {
	for _, one := range c.all {
		v, ok := one.value(m)
		if !ok {
			row = append(row, make([]string, 1+len(one.keys))...)
			continue
		}
		row = append(row, printValue(set, one.path[len(one.path)-1], v))
		if len(one.keys) == 0 {
			continue
		}
		there := map[string]string{}
		for _, e := range entries(v.String()) {
			there[e.key] = plain(e.value)
		}
		for _, key := range one.keys {
			row = append(row, there[key])
		}
	}
	return row
}

// plain is a value of JSON; texts are without quotes.
func plain(v json.RawMessage) string {
	var text string
	if v[0] == '"' && json.Unmarshal(v, &text) == nil {
		return text
	}
	if bytes.Equal(v, []byte("null")) {
		return ""
	}
	return string(v)
}

// value returns what a message has in a column; false if it is not set.
func (c *column) value(m protoreflect.Message) (protoreflect.Value, bool) {
	for i, f := range c.path {
		// The definitions of another file can be others of the same name.
		if f = m.Descriptor().Fields().ByName(f.Name()); f == nil || f.HasPresence() && !m.Has(f) {
			return protoreflect.Value{}, false
		}
		v := m.Get(f)
		if i == len(c.path)-1 {
			return v, f.Cardinality() == c.path[i].Cardinality() && f.Kind() == c.path[i].Kind() &&
				f.IsMap() == c.path[i].IsMap()
		}
		if f.Message() == nil || f.IsList() || f.IsMap() {
			return protoreflect.Value{}, false
		}
		m = v.Message()
	}
	return protoreflect.Value{}, false
}

// printValue writes a value for programs: times as in RFC 3339, durations in seconds, lists, maps and other messages as
// JSON.
func printValue(set *descriptors.Set, f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case f.IsList():
		return printList(set, f, v.List())
	case f.IsMap():
		return printMap(set, f, v.Map())
	}
	return printOne(set, f, v)
}

func printOne(set *descriptors.Set, f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.BytesKind:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case protoreflect.EnumKind:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			return string(e.Name())
		}
		return strconv.Itoa(int(v.Enum()))
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		bits := 64
		if f.Kind() == protoreflect.FloatKind {
			bits = 32
		}
		return strconv.FormatFloat(v.Float(), 'g', -1, bits)
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return printMessage(set, v.Message())
	default:
		return v.String()
	}
}

func printMessage(set *descriptors.Set, m protoreflect.Message) string {
	fields := m.Descriptor().Fields()
	parts := func() (s, ns int64) {
		return m.Get(fields.ByName("seconds")).Int(), m.Get(fields.ByName("nanos")).Int()
	}
	switch m.Descriptor().FullName() {
	case "google.protobuf.Timestamp":
		return stamp(time.Unix(parts()))
	case "google.protobuf.Duration":
		s, ns := parts()
		return strconv.FormatFloat(float64(s)+float64(ns)/1e9, 'f', -1, 64)
	}
	return messageJSON(set, m)
}

func messageJSON(set *descriptors.Set, m protoreflect.Message) string {
	data, err := set.JSON(m.Interface())
	if err != nil {
		return ""
	}
	var compact bytes.Buffer
	if json.Compact(&compact, data) != nil { // protojson puts spaces where it likes
		return string(data)
	}
	return compact.String()
}

// element is a value as it stands in JSON.
func element(set *descriptors.Set, f protoreflect.FieldDescriptor, v protoreflect.Value) json.RawMessage {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return json.RawMessage(messageJSON(set, v.Message()))
	case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Uint32Kind,
		protoreflect.Sfixed32Kind, protoreflect.Fixed32Kind, protoreflect.Int64Kind, protoreflect.Sint64Kind,
		protoreflect.Uint64Kind, protoreflect.Sfixed64Kind, protoreflect.Fixed64Kind:
		return json.RawMessage(v.String())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if x := v.Float(); !math.IsNaN(x) && !math.IsInf(x, 0) {
			return json.RawMessage(printOne(set, f, v))
		}
	}
	text, _ := json.Marshal(printOne(set, f, v)) // a text always can be
	return text
}

func printList(set *descriptors.Set, f protoreflect.FieldDescriptor, l protoreflect.List) string {
	if l.Len() == 0 {
		return ""
	}
	all := make([]json.RawMessage, l.Len())
	for i := range all {
		all[i] = element(set, f, l.Get(i))
	}
	return marshal(all)
}

func printMap(set *descriptors.Set, f protoreflect.FieldDescriptor, m protoreflect.Map) string {
	if m.Len() == 0 {
		return ""
	}
	all := map[string]json.RawMessage{}
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		all[k.String()] = element(set, f.MapValue(), v)
		return true
	})
	return marshal(all)
}

// marshal writes JSON; empty for what is none, which a message that cannot be written leads to.
func marshal(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}
