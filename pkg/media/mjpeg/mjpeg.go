// Package mjpeg splits Motion JPEG into pictures that any program can show.
//
// Cameras and AVI files omit what all pictures have in common: the Huffman tables. Next adds the usual ones, and
// removes what surrounds a picture. It does not look at pixels, so it does not notice damage inside a picture.
package mjpeg

import (
	"bytes"
	"image"
	"image/jpeg"
	"sync"
)

// Markers of JPEG, without the 0xff before each.
const (
	markerDHT  = 0xc4 // Huffman tables
	markerSOI  = 0xd8 // start of image
	markerEOI  = 0xd9 // end of image
	markerSOS  = 0xda // start of a scan: coded data follows its segment
	markerAPP0 = 0xe0
)

// Picture is one whole JPEG.
type Picture struct {
	Data          []byte // a part of the input, unless tables were added
	Width, Height int    // pixels
	Components    int    // 1 for grey, 3 for colours
	Depth         int    // bits of a component
	// Field is true if this is every second row of a picture, as old capture cards make them (AVI1).
	Field bool
}

// Next returns the first whole picture in data and what follows it; false if there is none. Anything that is not part
// of the picture is removed.
func Next(data []byte) (p Picture, rest []byte, ok bool) {
	for {
		start := bytes.Index(data, []byte{0xff, markerSOI, 0xff})
		if start < 0 {
			return Picture{}, nil, false
		}
		data = data[start:]
		s := scan{data: data}
		n, whole := s.picture()
		if !whole {
			data = data[n:]
			continue
		}
		s.Data = data[:n:n]
		if s.lacksTables {
			s.Data = withTables(data[:n], s.tablesAt)
		}
		return s.Picture, data[n:], true
	}
}

// scan parses the segments of one picture.
type scan struct {
	Picture
	data        []byte
	tables      [2][4]bool // present, by class (DC, AC) and number
	tablesAt    int        // where tables can be inserted, so that the picture's own take precedence
	huffman     bool       // the kind of JPEG that the usual tables are for
	scanned     bool       // the first scan has begun
	lacksTables bool
}

// picture returns the length of the picture that data begins with, and true; or where to look for the next one, and
// false. It steps over segments, since those may contain smaller pictures with their own end markers.
func (s *scan) picture() (n int, whole bool) {
	i := 2
	for i+2 <= len(s.data) {
		if s.data[i] != 0xff { // coded data, or stray bytes
			next := bytes.IndexByte(s.data[i:], 0xff)
			if next < 0 {
				break
			}
			i += next
			continue
		}
		switch m := s.data[i+1]; {
		case m == markerEOI:
			return i + 2, s.scanned && s.Width > 0 && s.Height > 0
		case m == markerSOI: // the next one begins: this one was cut off
			return i, false
		case m == 0xff:
			i++ // filler
		case m <= 0x01 || m >= 0xd0 && m < markerSOI:
			i += 2 // an escaped byte, or a marker without a segment
		case i+4 > len(s.data):
			return len(s.data), false
		default:
			end := i + 2 + max(2, int(s.data[i+2])<<8|int(s.data[i+3]))
			if end > len(s.data) {
				return len(s.data), false
			}
			if s.tablesAt == 0 && m < markerAPP0 {
				s.tablesAt = i
			}
			s.segment(m, s.data[min(i+4, end):end])
			i = end
		}
	}
	return len(s.data), false
}

// segment records a segment.
func (s *scan) segment(marker byte, b []byte) {
	switch {
	case marker == markerDHT:
		s.define(b)
	case marker >= 0xc0 && marker <= 0xcf && marker != 0xc8 && marker != 0xcc && len(b) >= 6:
		s.Depth, s.Components = int(b[0]), int(b[5])
		s.Height, s.Width = int(b[1])<<8|int(b[2]), int(b[3])<<8|int(b[4])
		s.huffman = marker <= 0xc1
	case marker == markerSOS:
		if !s.scanned && s.huffman {
			s.lacksTables = !s.defined(b)
		}
		s.scanned = true
	case marker == markerAPP0 && len(b) >= 5 && string(b[:4]) == "AVI1":
		s.Field = b[4] != 0
	}
}

// define records the Huffman tables of a segment.
func (s *scan) define(b []byte) {
	for len(b) >= 17 {
		class, number := b[0]>>4&1, b[0]&3
		s.tables[class][number] = true
		length := 17
		for _, n := range b[1:17] {
			length += int(n)
		}
		b = b[min(length, len(b)):]
	}
}

// defined reports whether the tables that a scan uses are present. It is also true for nonsense that the usual tables,
// numbered 0 and 1, would not repair.
func (s *scan) defined(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	all := true
	for i := 2; i < len(b) && i <= 2*int(b[0]); i += 2 {
		for class, number := range [2]byte{b[i] >> 4 & 3, b[i] & 3} {
			if s.tables[class][number] {
				continue
			}
			if number > 1 {
				return true
			}
			all = false
		}
	}
	return all
}

func withTables(picture []byte, at int) []byte {
	tables := usualTables()
	out := make([]byte, 0, len(picture)+len(tables))
	return append(append(append(out, picture[:at]...), tables...), picture[at:]...)
}

// usualTables is the segment with the tables of ITU-T T.81, annex K.3, which the standard library writes into every
// picture.
var usualTables = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, image.NewRGBA(image.Rect(0, 0, 8, 8)), nil); err != nil {
		return nil // cannot fail: everything is in memory
	}
	b := out.Bytes()
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		end := i + 2 + (int(b[i+2])<<8 | int(b[i+3]))
		if b[i+1] == markerDHT {
			return b[i:end]
		}
		i = end
	}
	return nil
})
