package pystruct

import "encoding/binary"

// unit is a format character with its count.
type unit struct {
	spec   spec
	count  int
	offset int // in the format, of the count if there is one
	end    int // in the format, behind the character
}

// Parse reads a format. Its error is a [*FormatError].
func Parse(format string) (*Format, error) {
	f := &Format{text: format, native: true, order: binary.LittleEndian}
	for pos := f.prefix(); pos < len(format); {
		if isSpace(format[pos]) {
			pos++
			continue
		}
		u, err := readUnit(format, pos, f.native)
		if err != nil {
			return nil, err
		}
		if err := f.add(u); err != nil {
			return nil, err
		}
		pos = u.end
	}
	return f, nil
}

// prefix takes the byte order from the format's first character, and returns where the units begin.
func (f *Format) prefix() int {
	if f.text == "" {
		return 0
	}
	switch f.text[0] {
	case '@':
		return 1
	case '>', '!':
		f.native, f.order = false, binary.BigEndian
		return 1
	case '=', '<':
		f.native = false
		return 1
	}
	return 0
}

// isSpace tells what may stand between units: the white space of C.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// readUnit reads the unit that begins at pos.
func readUnit(format string, pos int, native bool) (unit, error) {
	u := unit{count: 1, offset: pos}
	if isDigit(format[pos]) {
		u.count, pos = readCount(format, pos)
	}
	if pos == len(format) {
		return u, badFormat(format, u.offset, "is a count with nothing to count: add a format character, or remove it")
	}
	var problem string
	if u.spec, problem = lookup(format[pos], native); problem != "" {
		return u, badFormat(format, pos, "%s", problem)
	}
	u.end = pos + 1
	return u, nil
}

// readCount reads a number, and returns the position behind it. Numbers above MaxSize, which no unit may
// have, become MaxSize+1.
func readCount(format string, pos int) (count, end int) {
	for ; pos < len(format) && isDigit(format[pos]); pos++ {
		count = min(10*count+int(format[pos]-'0'), MaxSize+1)
	}
	return count, pos
}
