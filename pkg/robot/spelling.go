package robot

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Keys are spelled in camelCase, as in the protobuf JSON mapping. Before, some were spelled with underscores; those
// spellings are still accepted, see [Section.Warnings].

// camel turns the old spelling of a key into the one in use: jpeg_quality into jpegQuality. Other keys stay as they
// are.
func camel(key string) string {
	first, rest, _ := strings.Cut(key, "_")
	if first == "" {
		return key
	}
	for word := range strings.SplitSeq(rest, "_") {
		if word != "" {
			first += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return first
}

// entry returns a key of a mapping and its value, nil if it is not there. The spelling in use comes before the old one.
func entry(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch given := n.Content[i]; {
		case given.Value == key:
			return given, n.Content[i+1]
		case k == nil && camel(given.Value) == key:
			k, v = given, n.Content[i+1]
		}
	}
	return k, v
}

// Warnings lists what [Section.Decode] accepts into a struct of this type, but only for now: keys of the file in their
// old spelling. Each names file, line, and both spellings. The section and the struct stay as they are.
func (s *Section) Warnings(into any) []error {
	t := reflect.TypeOf(into)
	if s.node == nil || t == nil || t.Kind() != reflect.Pointer {
		return nil
	}
	d := decoder{file: s.file}
	d.value(s.node, reflect.New(t.Elem()).Elem(), s.path)
	return d.warnings
}
