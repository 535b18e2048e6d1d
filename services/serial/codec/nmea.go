package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/adrianmo/go-nmea"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
)

// NMEA reads sentences of NMEA 0183, a line each. It is not safe for concurrent use.
type NMEA struct {
	parser nmea.SentenceParser
	base   nmea.BaseSentence // of the sentence that is being parsed
}

// NewNMEA returns a reader.
func NewNMEA() *NMEA {
	n := &NMEA{}
	n.parser.OnBaseSentence = func(s *nmea.BaseSentence) error { n.base = *s; return nil }
	return n
}

// Read implements [Reader]. A sentence of a type that is not known, or with a field that cannot be read, has its bare fields; only one
// whose checksum is wrong is an error.
func (n *NMEA) Read(data []byte, into *serialv1.SerialMessage) error {
	line := strings.TrimRight(string(data), "\r\n")
	n.base = nmea.BaseSentence{}
	parsed, err := n.parse(line)
	if n.base.Type == "" {
		return fmt.Errorf("%.100q is no sentence: %w", line, err)
	}
	s := &serialv1.Sentence{Talker: n.base.Talker, Type: n.base.Type, Raw: strings.ToValidUTF8(n.base.Raw, "�")}
	if err == nil {
		flatten(s, "", reflect.ValueOf(parsed))
	} else {
		for _, f := range n.base.Fields {
			s.Fields = append(s.Fields, &serialv1.Field{Value: typed(strings.ToValidUTF8(f, "�"))})
		}
	}
	into.Body, into.Json = &serialv1.SerialMessage_Sentence{Sentence: s}, sentenceJSON(s)
	return nil
}

var errPanicked = errors.New("it cannot be read")

// parse keeps a sentence that the library does not survive from ending the process.
func (n *NMEA) parse(line string) (s nmea.Sentence, err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	return n.parser.Parse(line)
}

// flatten makes fields of a parsed sentence: those of structs and lists within it get a path, such as info.0.elevation.
func flatten(s *serialv1.Sentence, path string, v reflect.Value) {
	if !v.IsValid() || v.Type() == reflect.TypeFor[nmea.BaseSentence]() {
		return
	}
	if text, ok := v.Interface().(fmt.Stringer); ok && path != "" && v.Kind() == reflect.Struct {
		add(s, path, text.String()) // times and dates
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				flatten(s, join(path, lowerCamel(f.Name)), v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			flatten(s, join(path, fmt.Sprint(i)), v.Index(i))
		}
	case reflect.Pointer, reflect.Interface:
		flatten(s, path, v.Elem())
	case reflect.Float32, reflect.Float64:
		add(s, path, v.Float())
	case reflect.Bool:
		add(s, path, v.Bool())
	case reflect.String:
		add(s, path, strings.ToValidUTF8(v.String(), "�"))
	default:
		if v.CanInt() {
			add(s, path, v.Int())
		} else if v.CanUint() {
			add(s, path, int64(v.Uint())) // bytes of a payload
		}
	}
}

func add(s *serialv1.Sentence, key string, value any) {
	s.Fields = append(s.Fields, &serialv1.Field{Key: key, Value: typed(value)})
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// lowerCamel makes HDOP hdop, FixQuality fixQuality and SVPRNNumber svprnNumber.
func lowerCamel(name string) string {
	runes := []rune(name)
	for i := range runes {
		if i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) || unicode.IsLower(runes[i]) {
			break
		}
		runes[i] = unicode.ToLower(runes[i])
	}
	return string(runes)
}

// sentenceJSON writes a sentence as an object. A field that is called talker or type gives way to those of the sentence.
func sentenceJSON(s *serialv1.Sentence) string {
	text := []byte(`{"talker":` + quote(s.GetTalker()) + `,"type":` + quote(s.GetType()))
	var bare []*serialv1.Field
	for _, f := range s.GetFields() {
		switch f.GetKey() {
		case "talker", "type":
		case "":
			bare = append(bare, f)
		default:
			text = append(append(append(text, ','), quote(f.GetKey())...), ':')
			text = appendJSON(text, plain(f.GetValue()))
		}
	}
	if len(bare) > 0 {
		text = append(text, `,"fields":[`...)
		for i, f := range bare {
			if i > 0 {
				text = append(text, ',')
			}
			text = appendJSON(text, plain(f.GetValue()))
		}
		text = append(text, ']')
	}
	return string(append(text, '}'))
}
