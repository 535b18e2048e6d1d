package playout

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	unit = 10 * time.Millisecond // of the header extension
	most = 4095 * unit           // 12 bits
	// Chromium shows pictures at once if the least delay is 0 and the greatest at most this; any but 0 makes it uneven.
	smooth = 500 * time.Millisecond
)

// Delay is how long a player holds pictures back: at least Min, at most Max. Both are multiples of 10 ms.
type Delay struct{ Min, Max time.Duration }

// Extension returns the content of the header extension: both delays in units of 10 ms, 12 bits each.
func (d Delay) Extension() [3]byte {
	least, greatest := d.Min/unit, d.Max/unit
	return [3]byte{byte(least >> 4), byte(least<<4) | byte(greatest>>8), byte(greatest)}
}

// String returns the delay in the form of [Parse].
func (d Delay) String() string {
	if d == (Delay{}) {
		return "0"
	}
	return fmt.Sprintf("%d-%d", d.Min.Milliseconds(), d.Max.Milliseconds())
}

// Parse reads a delay in ms: "0" for none, or the least and the greatest, for example "100-1000". Both are multiples of
// 10 up to 40950. Errors are written for people.
func Parse(text string) (Delay, error) {
	if text == "0" {
		return Delay{}, nil
	}
	from, to, ok := strings.Cut(text, "-")
	least, errLeast := milliseconds(from)
	greatest, errGreatest := milliseconds(to)
	switch {
	case !ok || errLeast != nil || errGreatest != nil:
		return Delay{}, fmt.Errorf("%.50q is neither 0 nor a least and a greatest delay in ms, multiples of 10 up to %d: "+
			"write, for example, 100-1000", text, most.Milliseconds())
	case least > greatest:
		return Delay{}, fmt.Errorf("%q: the least delay is greater than the greatest: write it as %s", text,
			Delay{greatest, least})
	case least == 0 && greatest > 0 && greatest <= smooth:
		return Delay{}, fmt.Errorf("%q makes browsers slow and uneven: write 0, or a greatest delay above %d", text,
			smooth.Milliseconds())
	}
	return Delay{least, greatest}, nil
}

func milliseconds(text string) (time.Duration, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	d := time.Duration(n) * time.Millisecond
	if err == nil && (d > most || d%unit != 0) {
		err = strconv.ErrRange
	}
	return d, err
}
