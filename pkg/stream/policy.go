package stream

import "time"

// Policy determines how many values wait for a slow reader and what happens to the rest. The zero value
// is [Latest].
type Policy struct {
	overflow overflow
	size     int
	age      time.Duration // 0: any
}

type overflow int

const (
	dropOldest overflow = iota
	end
	wait
)

// Latest keeps one value, always the newest.
func Latest() Policy { return DropOldest(1) }

// DropOldest keeps the newest n values; n below 1 counts as 1.
func DropOldest(n int) Policy { return Policy{overflow: dropOldest, size: max(n, 1)} }

// Strict keeps n values and ends the subscription with [ErrOverflow] when one more comes; n below 1
// counts as 1.
func Strict(n int) Policy { return Policy{overflow: end, size: max(n, 1)} }

// Block keeps n values and makes the producer wait for room; n below 1 counts as 1.
func Block(n int) Policy { return Policy{overflow: wait, size: max(n, 1)} }

// Within is the same policy for readers to whom a value is worthless once it has waited for age: it
// counts as one that found no room. A reader with policy [Block] gets it anyway.
func (p Policy) Within(age time.Duration) Policy {
	p.age = age
	return p
}

func (p Policy) capacity() int { return max(p.size, 1) }
