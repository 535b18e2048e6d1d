package robot

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Section is a group of keys whose meaning belongs to another program: those of a device, or of the gateway. The zero
// value is an empty section, to be filled by [Section.Override].
type Section struct {
	file      string     // "robot.yaml"; empty if no file was read
	path      string     // "devices.front"; empty if no file was read
	node      *yaml.Node // the mapping in the file, nil if there is none
	common    *yaml.Node // what of it was read already: kind, grpc and may of a device
	overrides []override // in the order they were given; later ones win
}

// override is a value from a flag or the environment.
type override struct{ key, value, origin string }

// Override sets a key as a flag or the environment gave it. Origin is named in errors instead of file and line, for
// example `--width` or `WALDO_WIDTH`. Of several values for one key the last one counts. A nested key is dotted
// (`control.deadman`); lists are written with commas, or in YAML like maps: `[a, b]`, `{left: 0}`.
func (s *Section) Override(key, value, origin string) {
	s.overrides = append(slices.Clip(s.overrides), override{key, value, origin})
}

// Decode fills a struct from the section. Fields with a `yaml:"key"` tag are configuration, others are left alone; a
// field whose key is not given keeps its value, so defaults are set beforehand. Fields may be text, numbers, booleans,
// time.Duration (written with a unit: `200ms`), implementers of encoding.TextUnmarshaler, and structs, lists and maps
// of those; `yaml:",inline"` takes the fields of a struct as one's own, and a [Worded] struct may be one word.
//
// A text with the tag `path:"any"` is a path: if it is relative, it counts from the folder of the file, or, if a flag
// or the environment gives it, from the working directory as usual. `path:"except test sim"` is one unless it is one of
// these words, and `path:"only .wav"` if it ends so. A value with a method From(folder string) is told the folder of
// the file if it is given there.
//
// If the struct has a method `Validate() error`, it is called once everything could be read; use [BadField] in it.
// The error holds all that is wrong, one line each, with its origin.
func (s *Section) Decode(into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("robot: cannot decode into %T: want a pointer to a struct", into)
	}
	d := decoder{file: s.file}
	if s.node != nil {
		d.value(s.node, v.Elem(), s.path)
	}
	for _, o := range s.overrides {
		d.override(o, v.Elem())
	}
	if err := errors.Join(d.errs...); err != nil {
		return err
	}
	if checked, ok := into.(interface{ Validate() error }); ok {
		return s.Locate(checked.Validate())
	}
	return nil
}

// Locate adds to the field errors within err (see [BadField]) where the value of the field was given. Other errors
// within it stay as they are.
func (s *Section) Locate(err error) error {
	return locate(err, s.where)
}

// Given tells whether anything is given, in the file or otherwise.
func (s *Section) Given() bool { return s.node != nil || len(s.overrides) > 0 }

// Has tells whether the file gives a key.
func (s *Section) Has(key string) bool { return s.node != nil && find(s.node, key) != nil }

// Meaning returns a text that is the same for sections that mean the same, whatever their layout, comments, and
// spelling of keys. With keys it is about these only.
func (s *Section) Meaning(keys ...string) string {
	var b strings.Builder
	if s.node != nil && s.node.Kind == yaml.MappingNode {
		if len(keys) == 0 {
			b.WriteString(strconv.Itoa(len(s.node.Content)))
		}
		for i := 0; i+1 < len(s.node.Content); i += 2 {
			if key := camel(s.node.Content[i].Value); len(keys) == 0 || slices.Contains(keys, key) {
				fmt.Fprintf(&b, "%q:", key)
				meaning(&b, s.node.Content[i+1])
			}
		}
	}
	for _, o := range s.overrides {
		if len(keys) == 0 || slices.Contains(keys, o.key) {
			fmt.Fprintf(&b, "%q=%q", o.key, o.value)
		}
	}
	return b.String()
}

func meaning(b *strings.Builder, n *yaml.Node) {
	if n == nil {
		return
	}
	fmt.Fprintf(b, "%d%s%q(", n.Kind, n.ShortTag(), n.Value)
	for _, c := range n.Content {
		meaning(b, c)
	}
	b.WriteByte(')')
}

// Text returns a single value as it was given, without knowing the other keys: the last override, else what the file
// says, else "".
func (s *Section) Text(key string) string {
	for _, o := range slices.Backward(s.overrides) {
		if o.key == key {
			return o.value
		}
	}
	if n := find(s.node, key); n != nil && n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
		return n.Value
	}
	return ""
}

// where finds the origin of a key: the last override, else the line of the file, else that of the section.
func (s *Section) where(key string) (origin, field string) {
	for _, o := range slices.Backward(s.overrides) {
		if o.key == key {
			return o.origin, ""
		}
		if within, ok := strings.CutPrefix(key, o.key+"."); ok {
			return o.origin, within
		}
	}
	if s.node == nil {
		return s.file, join(s.path, key)
	}
	line := s.node.Line
	for part := key; part != ""; part = parent(part) {
		if n := find(s.node, part); n != nil {
			line = n.Line
			break
		}
		if n := find(s.common, part); n != nil {
			line = n.Line
			break
		}
	}
	return fmt.Sprintf("%s:%d", s.file, line), join(s.path, spelled(s.node, key))
}

// spelled returns a dotted key as the file spells it.
func spelled(n *yaml.Node, key string) (path string) {
	for key != "" {
		var name string
		name, key, _ = strings.Cut(key, ".")
		if n != nil {
			var k *yaml.Node
			if k, n = entry(n, name); k != nil {
				name = k.Value
			}
		}
		path = join(path, name)
	}
	return path
}

// find returns the value of a dotted key below a mapping, nil if there is none.
func find(n *yaml.Node, key string) *yaml.Node {
	for key != "" && n != nil {
		var name string
		name, key, _ = strings.Cut(key, ".")
		_, n = entry(n, name)
	}
	return n
}

// parent cuts the last part off a dotted key.
func parent(key string) string {
	return key[:max(0, strings.LastIndex(key, "."))]
}

// join appends a key to a dotted path.
func join(path, key string) string {
	switch {
	case path == "":
		return key
	case key == "":
		return path
	default:
		return path + "." + key
	}
}
