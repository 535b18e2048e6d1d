package robot

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Field describes one key that a struct takes in [Section.Decode]; a program makes its flags from these.
type Field struct {
	// Key is what the field is called in a section, dotted if it is nested.
	Key string
	// Help is the `help` tag of the field.
	Help string
	// Default is the value the struct holds, as text; empty if it is the zero value.
	Default string
	// Bool tells that the field is a boolean, which a flag may set without a value.
	Bool bool
}

// Fields lists what can be set in a struct, or in the one a pointer points to, in the order of its fields.
func Fields(config any) []Field {
	v := reflect.ValueOf(config)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	return appendFields(nil, v, "")
}

func appendFields(list []Field, v reflect.Value, path string) []Field {
	for _, f := range fieldsOf(v) {
		key := join(path, f.key)
		if f.value.Kind() == reflect.Struct && !isLeaf(f.value) {
			list = appendFields(list, f.value, key)
			continue
		}
		field := Field{Key: key, Help: f.help, Bool: f.value.Kind() == reflect.Bool}
		if !f.value.IsZero() {
			field.Default = fmt.Sprint(f.value.Interface())
		}
		list = append(list, field)
	}
	return list
}

// structField is a field of a struct that has a key.
type structField struct {
	key, help, path string // of the tags
	value           reflect.Value
}

// fieldsOf lists the fields of a struct that have a key, with those of inlined structs in their place.
func fieldsOf(v reflect.Value) []structField {
	var list []structField
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag, ok := f.Tag.Lookup("yaml")
		key, flags, _ := strings.Cut(tag, ",")
		switch {
		case !ok || !f.IsExported() || key == "-":
		case flags == "inline" && v.Field(i).Kind() == reflect.Struct:
			list = append(list, fieldsOf(v.Field(i))...)
		case key != "":
			list = append(list, structField{key, f.Tag.Get("help"), f.Tag.Get("path"), v.Field(i)})
		}
	}
	return list
}

// fieldOf finds the field of that key, also by its old spelling. Without one it returns the keys there are.
func fieldOf(v reflect.Value, key string) (field structField, known []string, ok bool) {
	for _, f := range fieldsOf(v) {
		if f.key == key {
			return f, nil, true
		}
		if f.key == camel(key) {
			field, ok = f, true
		}
		known = append(known, f.key)
	}
	return field, known, ok
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	nodeType     = reflect.TypeFor[yaml.Node]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isLeaf tells whether a value reads itself from text, so that its fields are none of our business.
func isLeaf(v reflect.Value) bool {
	return v.Type() == nodeType || reflect.PointerTo(v.Type()).Implements(textType)
}
