package robot

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waldo-robot/waldo/pkg/text"
)

// decoder copies YAML into Go values and collects all that is wrong on the way.
type decoder struct {
	file   string // named in errors with the line …
	origin string // … unless this is set
	errs   []error

	warnings []error // keys in their old spelling
}

// fail notes an error about the value of node n, which is at path.
func (d *decoder) fail(n *yaml.Node, path, format string, args ...any) {
	d.errs = append(d.errs, d.at(n, path, format, args...))
}

// at returns an error about the value of node n, which is at path.
func (d *decoder) at(n *yaml.Node, path, format string, args ...any) error {
	e := &Error{Origin: d.origin, Problem: fmt.Sprintf(format, args...)}
	if d.origin == "" {
		e.Origin, e.Field = fmt.Sprintf("%s:%d", d.file, n.Line), path
	}
	return e
}

// override sets one field of a struct from a flag or the environment.
func (d *decoder) override(o override, v reflect.Value) {
	sub := decoder{origin: o.origin}
	defer func() { d.errs = append(d.errs, sub.errs...) }()
	scalar := &yaml.Node{Kind: yaml.ScalarNode, Value: o.value}
	for rest := o.key; rest != ""; {
		var key string
		key, rest, _ = strings.Cut(rest, ".")
		for v.Kind() == reflect.Pointer {
			v = allocated(v)
		}
		if v.Kind() != reflect.Struct {
			sub.fail(scalar, "", "there is no key %q", o.key)
			return
		}
		field, known, ok := fieldOf(v, key)
		if !ok {
			sub.fail(scalar, "", "unknown key %q%s", shorten(key), hint(key, known))
			return
		}
		v = field.value
	}
	sub.text(scalar, v)
}

// text sets v from one word of a command line: structured values are read as YAML, and lists also with commas.
func (d *decoder) text(scalar *yaml.Node, v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		v = allocated(v)
	}
	n := scalar
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Struct, reflect.Interface:
		if isLeaf(v) {
			break
		}
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(scalar.Value), &doc); err != nil || len(doc.Content) != 1 {
			d.fail(n, "", "%q cannot be read: write it like [a, b] or {key: value}", shorten(scalar.Value))
			return
		}
		n = doc.Content[0]
		if v.Kind() == reflect.Slice && n.Kind == yaml.ScalarNode {
			n = &yaml.Node{Kind: yaml.SequenceNode}
			for word := range strings.SplitSeq(scalar.Value, ",") {
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(word)})
			}
		}
		if d.plain(n, ""); len(d.errs) > 0 {
			return
		}
	}
	d.value(n, v, "")
}

// plain notes every anchor, alias and tag below n: with them a small file could mean a huge one.
func (d *decoder) plain(n *yaml.Node, path string) {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.fail(n, path, "anchors and aliases (& and *) are not supported: write the values out")
	case n.Style&yaml.TaggedStyle != 0:
		d.fail(n, path, "tags (%s) are not supported: leave it out, and quote what is text", shorten(n.Tag))
	}
	for _, c := range n.Content {
		d.plain(c, path)
	}
}

// value sets v from n.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case v.Type() == nodeType:
		v.Set(reflect.ValueOf(*n))
	case v.Kind() == reflect.Pointer:
		d.value(n, allocated(v), path)
	case isLeaf(v) || v.Type() == durationType:
		d.scalar(n, v, path)
	default:
		switch v.Kind() {
		case reflect.Struct:
			if w, ok := v.Addr().Interface().(Worded); ok && n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
				d.word(n, w, path)
				return
			}
			d.fields(n, v, path)
		case reflect.Map:
			d.entries(n, v, path)
		case reflect.Slice:
			d.elements(n, v, path)
		case reflect.Interface:
			d.free(n, v, path)
		default:
			d.scalar(n, v, path)
		}
	}
}

// Worded is a struct that may be given as one word in place of its keys.
type Worded interface {
	// SetWord sets the struct as the word says. The error says what is wrong with it, and what would be right.
	SetWord(word string) error
}

func (d *decoder) word(n *yaml.Node, w Worded, path string) {
	if err := w.SetWord(n.Value); err != nil {
		d.fail(n, path, "%s", err)
	}
}

// fields sets the fields of a struct from a mapping. An empty value (`gateway:`) is an empty mapping.
func (d *decoder) fields(n *yaml.Node, v reflect.Value, path string) {
	given := map[string]*yaml.Node{}
	d.pairs(n, path, func(key, val *yaml.Node) {
		field, known, ok := fieldOf(v, key.Value)
		if !ok {
			d.fail(key, path, "unknown key %q%s", shorten(key.Value), hint(key.Value, known))
			return
		}
		if other := given[field.key]; other != nil {
			d.fail(key, path, "%q and %q on line %d are the same key: keep %s", key.Value, other.Value, other.Line, field.key)
			return
		}
		given[field.key] = key
		if key.Value != field.key {
			d.warnings = append(d.warnings, d.at(key, path, "%q is an old spelling: write %s", key.Value, field.key))
		}
		d.value(val, field.value, join(path, key.Value))
		if field.path != "" && field.value.Kind() == reflect.String {
			field.value.SetString(fromFile(d.file, field.path, field.value.String()))
		}
		if located, ok := field.value.Addr().Interface().(interface{ From(folder string) }); ok {
			located.From(filepath.Dir(d.file))
		}
	})
}

// entries sets a map with text keys from a mapping.
func (d *decoder) entries(n *yaml.Node, v reflect.Value, path string) {
	if v.Type().Key().Kind() != reflect.String {
		d.fail(n, path, "maps of %s are not supported", v.Type())
		return
	}
	m := reflect.MakeMap(v.Type())
	d.pairs(n, path, func(key, val *yaml.Node) {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(val, e, join(path, key.Value))
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), e)
	})
	v.Set(m)
}

// pairs calls f for each key of a mapping, once.
func (d *decoder) pairs(n *yaml.Node, path string, f func(key, val *yaml.Node)) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "%s where keys with values are wanted, like {key: value}", describe(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		line, twice := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.fail(key, path, "%s cannot be a key", describe(key))
		case twice:
			d.fail(key, path, "%q is given twice; the first is on line %d", shorten(key.Value), line)
		case glued(key, val) != "":
			d.fail(key, path, "%[1]s needs a space behind its colon, like `%[1]s: value`", glued(key, val))
		default:
			seen[key.Value] = key.Line
			f(key, val)
		}
	}
}

// gluedForm is a key with its value right behind the colon, which YAML takes for a key alone.
var gluedForm = text.Pattern(`^([A-Za-z_][A-Za-z0-9_-]*):.`)

// glued returns the key that was meant if there is no space behind its colon; the value is left out, since it can be a
// password.
func glued(key, val *yaml.Node) string {
	if key.Style != 0 || val.Value != "" || val.ShortTag() != "!!null" {
		return ""
	}
	if m := gluedForm().FindStringSubmatch(key.Value); m != nil {
		return m[1]
	}
	return ""
}

// elements sets a slice from a sequence.
func (d *decoder) elements(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "%s where a list is wanted, like [a, b]", describe(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.value(c, list.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(list)
}

// free sets an interface, usually `any`, from whatever there is.
func (d *decoder) free(n *yaml.Node, v reflect.Value, path string) {
	if err := n.Decode(v.Addr().Interface()); err != nil {
		d.fail(n, path, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
}

// scalar sets a value that is written as one word.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "%s where a single value is wanted", describe(n))
		return
	}
	if n.ShortTag() == "!!null" && (v.Kind() != reflect.String || n.Line > 0) {
		d.fail(n, path, "has no value: give one or leave the key out")
		return
	}
	if err := setScalar(n, v); err != nil {
		d.fail(n, path, "%s", err)
	}
}

// setScalar converts the word as strictly as the type can tell: nothing is rounded or cut off.
func setScalar(n *yaml.Node, v reflect.Value) error {
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return text.UnmarshalText([]byte(n.Value))
	}
	if v.Type() == durationType {
		return setDuration(n, v)
	}
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	switch {
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
		return nil
	case quoted:
		return fmt.Errorf("%q is text: leave out the quotes", shorten(n.Value))
	}
	switch v.Kind() {
	case reflect.Bool:
		return setBool(n, v)
	case reflect.Float32, reflect.Float64:
		return setFloat(n, v)
	default:
		return setWhole(n, v)
	}
}

func setDuration(n *yaml.Node, v reflect.Value) error {
	t, err := time.ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("%q is not a duration: write a number with its unit, like 200ms, 1.5s, 2m", shorten(n.Value))
	}
	v.SetInt(int64(t))
	return nil
}

func setBool(n *yaml.Node, v reflect.Value) error {
	var b bool
	if n.Decode(&b) != nil {
		return fmt.Errorf("%q is neither true nor false", shorten(n.Value))
	}
	v.SetBool(b)
	return nil
}

func setFloat(n *yaml.Node, v reflect.Value) error {
	var f float64
	if n.Decode(&f) != nil || math.IsNaN(f) || math.IsInf(f, 0) || v.OverflowFloat(f) {
		return fmt.Errorf("%q is not a number", shorten(n.Value))
	}
	v.SetFloat(f)
	return nil
}

func setWhole(n *yaml.Node, v reflect.Value) error {
	var i int64
	var u uint64
	switch {
	case n.ShortTag() != "!!int":
		return fmt.Errorf("%q is not a whole number", shorten(n.Value))
	case v.CanInt() && n.Decode(&i) == nil && !v.OverflowInt(i):
		v.SetInt(i)
	case v.CanUint() && n.Decode(&u) == nil && !v.OverflowUint(u):
		v.SetUint(u)
	case v.CanInt() || v.CanUint():
		return fmt.Errorf("%q is out of range for a whole number here", shorten(n.Value))
	default:
		return errors.New("fields of type " + v.Type().String() + " are not supported")
	}
	return nil
}

// allocated returns what a pointer points to, after giving it something to point to if it has nothing.
func allocated(v reflect.Value) reflect.Value {
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem()
}

// describe says in an error what was found.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "found keys with values"
	case yaml.SequenceNode:
		return "found a list"
	default:
		return fmt.Sprintf("found %q", shorten(n.Value))
	}
}
