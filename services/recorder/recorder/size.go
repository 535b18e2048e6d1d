package recorder

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written like 500MB or 1.5GiB.
type Size int64

// units are what a size may end with, the longest first among those with the same ending.
var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Size) UnmarshalText(data []byte) error {
	text, factor := strings.TrimSpace(string(data)), 1.0
	for _, u := range units {
		if number, has := strings.CutSuffix(text, u.name); has {
			text, factor = strings.TrimSpace(number), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if bytes := n * factor; err != nil || !(bytes >= 0 && bytes < math.MaxInt64) {
		return fmt.Errorf("%.40q is not a size: write it like 500MB or 1GiB", data)
	}
	*s = Size(n * factor)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size as it is written, in the largest unit that it has a whole number of.
func (s Size) String() string {
	for i := 3; i >= 0; i-- {
		if unit := int64(units[i].bytes); s != 0 && int64(s)%unit == 0 {
			return strconv.FormatInt(int64(s)/unit, 10) + units[i].name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
