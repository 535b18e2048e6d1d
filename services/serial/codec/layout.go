package codec

import (
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/adrianmo/go-nmea"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/text"
)

// layout describes the fields of a type of sentence.
type layout struct {
	fields []field
	list   string  // name of the repeated list; empty for none
	from   int     // its first field
	width  int     // fields per item
	most   int     // maximum number of items; 0: as many as the sentence has
	items  []field // of each item
}

// field is one value of a sentence, or of an item of its list.
type field struct {
	key    string
	kind   byte
	at     int
	detail string
	guards []guard
}

// guard is a field that can void another.
type guard struct {
	at     int
	strict bool // void also if it is empty
}

// layoutOf returns the layout of a type of sentence; nil if unknown.
func layoutOf(s nmea.BaseSentence) *layout {
	name := s.Type
	switch {
	case s.Raw[0] == '!':
		name = "!" + name
	case s.Talker == "P":
		name = "P" + name
	}
	return compiled()[name]
}

var compiled = sync.OnceValue(func() map[string]*layout {
	all := map[string]*layout{}
	for names, text := range layouts {
		for name := range strings.FieldsSeq(names) {
			all[name] = compile(text)
		}
	}
	return all
})

var (
	fieldForm = text.Pattern(`^(\w*):([a-z])(\d+)(?:=(\w+))?((?:[!?]\d+)*)$`)
	listForm  = text.Pattern(`^(\w+)\[(\d+)\+(\d+)(?:x(\d+))?\]$`)
	guardForm = text.Pattern(`([!?])(\d+)`)
)

// compile reads the words of a layout.
func compile(words string) *layout {
	l := &layout{}
	to := &l.fields
	for word := range strings.FieldsSeq(words) {
		if m := listForm().FindStringSubmatch(word); m != nil {
			l.list, l.from, l.width, l.most = m[1], number(m[2]), number(m[3]), number(m[4])
			to = &l.items
			continue
		}
		m := fieldForm().FindStringSubmatch(word)
		f := field{key: m[1], kind: m[2][0], at: number(m[3]), detail: m[4]}
		for _, g := range guardForm().FindAllStringSubmatch(m[5], -1) {
			f.guards = append(f.guards, guard{number(g[2]), g[1] == "!"})
		}
		*to = append(*to, f)
	}
	return l
}

// number reads digits of a layout; no digits mean 0.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// read adds the values that a sentence contains.
func (l *layout) read(s *serialv1.Sentence, fields []string) {
	fields = slices.Clone(fields)
	for i, f := range fields {
		fields[i] = strings.TrimSpace(f)
	}
	for _, f := range l.fields {
		f.read(s, "", fields)
	}
	if l.list == "" {
		return
	}
	end := len(fields)
	if l.most > 0 {
		end = min(end, l.from+l.most*l.width)
	}
	for at, n := l.from, 0; at < end; at += l.width {
		item := fields[at:min(at+l.width, end)]
		if strings.Join(item, "") == "" || len(item) == 1 && l.width > 1 {
			continue // empty, or the fields behind the list
		}
		for _, f := range l.items {
			f.read(s, l.list+"."+strconv.Itoa(n), item)
		}
		n++
	}
}

// read adds the value or values of a field, if it has any.
func (f field) read(s *serialv1.Sentence, path string, fields []string) {
	if f.kind == kindSignal {
		if (len(fields)-f.at)%4 != 1 {
			return
		}
		f.kind, f.at = kindHex, len(fields)-1
	}
	if f.at >= len(fields) || fields[f.at] == "" || f.void(fields) {
		return
	}
	key := join(path, f.key)
	switch value := f.value(fields).(type) {
	case nil:
	case []byte:
		for i, b := range value {
			add(s, join(key, strconv.Itoa(i)), int64(b))
		}
	case []string:
		for i, letter := range value {
			add(s, join(key, strconv.Itoa(i)), letter)
		}
	default:
		add(s, key, value)
	}
}

// void tells whether another field voids this one: status V, quality 0, or modes that are all N.
func (f field) void(fields []string) bool {
	return slices.ContainsFunc(f.guards, func(g guard) bool {
		if g.at >= len(fields) {
			return false // an older version of the standard
		}
		status := fields[g.at]
		return status == "" && g.strict || status == "0" || status == "V" || status != "" && strings.Trim(status, "N") == ""
	})
}

// value reads a field that is not empty: an int64, float64, bool, string, letters, or bytes; nil if it
// does not match its kind.
func (f field) value(fields []string) any {
	switch text := fields[f.at]; f.kind {
	case kindText:
		return text
	case kindIs:
		return text == f.detail
	case kindRest:
		return strings.Join(fields[f.at:], nmea.FieldSep)
	case kindLetters:
		return strings.Split(text, "")
	case kindBytes:
		return known(hex.DecodeString(text))
	case kindWhole:
		if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
			return whole
		}
		return finite(strconv.ParseFloat(text, 64))
	case kindNumber:
		if f.otherUnit(fields) {
			return nil
		}
		return finite(strconv.ParseFloat(text, 64))
	case kindSigned:
		return signed(fields[f.at:])
	}
	return f.parsed(nmea.NewParser(nmea.BaseSentence{Fields: fields}))
}

// otherUnit tells whether a number is in a unit other than that of its name.
func (f field) otherUnit(fields []string) bool {
	unit := f.at + 1
	return f.detail != "" && unit < len(fields) && fields[unit] != "" && !strings.EqualFold(fields[unit], f.detail)
}

// parsed reads a field with the library.
func (f field) parsed(p *nmea.Parser) any {
	switch f.kind {
	case kindHex:
		v := p.HexInt64(f.at, "")
		return known(v, p.Err())
	case kindFlags:
		v := p.HexInt64(f.at, "")
		return f.flags(v, p.Err())
	case kindPosition:
		v := p.LatLong(f.at, f.at+1, "")
		return finite(v, p.Err())
	case kindTime:
		v := p.Time(f.at, "")
		return known(v.String(), p.Err())
	case kindDate:
		v := p.Date(f.at, "")
		return known(v.String(), p.Err())
	case kindBits:
		v := p.SixBitASCIIArmour(f.at, int(p.Int64(f.at+1, "")), "")
		return known(v, p.Err())
	}
	return nil
}

// known is a value that could be read.
func known[T any](v T, err error) any {
	if err != nil {
		return nil
	}
	return v
}

// finite is a number that could be read and is finite.
func finite(v float64, err error) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return known(v, err)
}

// signed reads a number whose sign is the direction in the next field.
func signed(fields []string) any {
	v, err := strconv.ParseFloat(fields[0], 64)
	if len(fields) < 2 {
		return nil
	}
	switch fields[1] {
	case nmea.North, nmea.East:
		return finite(v, err)
	case nmea.South, nmea.West:
		return finite(0-v, err)
	}
	return nil
}

// flags picks some bits: the detail is the number of the lowest, and the mask of those wanted.
func (f field) flags(bits int64, err error) any {
	shift, mask, _ := strings.Cut(f.detail, "x")
	v := bits >> number(shift) & int64(number(mask))
	if mask == "1" {
		return known(v == 1, err)
	}
	return known(v, err)
}

func add(s *serialv1.Sentence, key string, value any) {
	s.Fields = append(s.Fields, &serialv1.Field{Key: key, Value: typed(value)})
}

// join makes the path of a value within a list, such as info.0.elevation.
func join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}
