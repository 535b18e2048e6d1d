package codec

import (
	"math"
	"math/big"
)

// Slower is a [Writer] whose messages have numbers, so that a command can be carried out slower than it was given.
type Slower interface {
	// Speed is the share of full speed at which a payload moves: the greatest distance of any value from that of the safe
	// payload, relative to the value's full scale. Scales are by key. A value without a scale counts as full speed, and
	// one that is not finite as infinitely fast. False means that no number of the payload differs from the safe one.
	Speed(payload, safe []byte, scales map[string]float64) (share float64, ok bool)
	// Slow returns the payload with the distance of all its numbers from the safe ones multiplied by a factor, from 0 (the
	// safe payload) to 1 (unchanged). Integers are rounded towards the safe ones. Other values stay as they are.
	Slow(payload, safe []byte, factor float64) []byte
}

// Speed implements [Slower].
func (c *Record) Speed(payload, safe []byte, scales map[string]float64) (share float64, ok bool) {
	x, errX := c.format.Unpack(payload)
	y, errY := c.format.Unpack(safe)
	if errX != nil || errY != nil {
		return 1, false
	}
	for i := range x {
		d := distance(x[i], y[i])
		switch scale := scales[c.key(i)]; {
		case d == 0:
			continue
		case math.IsNaN(d) || math.IsInf(d, 0):
			share = math.Inf(1)
		case scale > 0:
			share = max(share, d/scale)
		default:
			share = max(share, 1)
		}
		ok = true
	}
	return share, ok
}

// distance is how far two numbers are apart; 0 for values that are not numbers.
func distance(from, to any) float64 {
	if a, b := whole(from), whole(to); a != nil && b != nil {
		d, _ := new(big.Int).Sub(a, b).Float64() // more than exact enough
		return math.Abs(d)
	}
	a, okA := from.(float64)
	b, okB := to.(float64)
	if okA && okB {
		return math.Abs(a - b)
	}
	return 0
}

// whole is an integer; nil for other values. Unsigned ones are int64 as long as they fit.
func whole(v any) *big.Int {
	switch n := v.(type) {
	case int64:
		return big.NewInt(n)
	case uint64:
		return new(big.Int).SetUint64(n)
	}
	return nil
}

// Slow implements [Slower].
func (c *Record) Slow(payload, safe []byte, factor float64) []byte {
	if factor >= 1 {
		return payload
	}
	x, errX := c.format.Unpack(payload)
	y, errY := c.format.Unpack(safe)
	if errX != nil || errY != nil || !(factor > 0) {
		return safe
	}
	for i := range x {
		x[i] = slow(x[i], y[i], factor)
	}
	slowed, err := c.format.Pack(x...)
	if err != nil {
		return safe
	}
	return slowed
}

// slow returns a number nearer to the safe one, and anything else as it is.
func slow(from, safe any, factor float64) any {
	if a, b := whole(from), whole(safe); a != nil && b != nil {
		return nearer(a, b, factor)
	}
	a, okA := from.(float64)
	b, okB := safe.(float64)
	switch {
	case !okA || !okB:
		return from
	case math.IsNaN(a) || math.IsInf(a, 0):
		return b
	}
	return a*factor + b*(1-factor) // a difference of the two could overflow
}

// nearer is exact, however large the numbers are, and rounds towards the safe one.
func nearer(from, safe *big.Int, factor float64) any {
	share := new(big.Rat).SetFloat64(factor)
	d := new(big.Int).Sub(from, safe)
	d.Mul(d, share.Num()).Quo(d, share.Denom()).Add(d, safe)
	if d.IsInt64() {
		return d.Int64()
	}
	return d.Uint64()
}
