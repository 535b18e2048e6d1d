package picture

import "time"

// order notices pictures that are shown before one that was sent earlier.
type order struct {
	reorders bool
	begun    bool
	last     int // the count of the last picture since the key frame, unwrapped
	newest   int // the highest of them

	timed  bool
	latest time.Duration
}

// maxBack is how far B-frames go back; more is a clock that was set.
const maxBack = time.Second

// step is how far a picture's place is behind the last one's; only the low bits are known.
func (o *order) step(low, bits int) int {
	size := 1 << bits
	step := (low - o.last) & (size - 1)
	if step > size/2 {
		step -= size
	}
	return step
}

// precedes tells whether a picture is shown before the last one that was counted.
func (o *order) precedes(low, bits int) bool { return o.begun && o.step(low, bits) < 0 }

// count takes a picture's place, of which only the low bits are known.
func (o *order) count(low, bits int, key bool) {
	if key || !o.begun {
		o.begun, o.last, o.newest = true, low, low
		return
	}
	if o.last += o.step(low, bits); o.last < o.newest {
		o.reorders = true
	}
	o.newest = max(o.newest, o.last)
}

// time takes a picture's time, where there is no count. Clocks of cameras jump, so only small steps back mean
// something.
func (o *order) time(t time.Duration, key bool) {
	if o.timed && !key && t < o.latest && o.latest-t < maxBack {
		o.reorders = true
	}
	if key || !o.timed || t > o.latest || o.latest-t >= maxBack {
		o.timed, o.latest = true, t
	}
}
