// Package recent keeps sums of the recent past in a ring of equal parts of time, such as ten of 100 ms.
package recent

import "time"

// Turn clears the parts of a ring that have begun since the last call, and returns the part that now belongs to. Each
// part lasts for so long. Current is the number of the newest part, counted from 1970, and is kept for the ring; 0 is
// right for one that is empty. Time does not go back: what is earlier belongs to the newest part.
func Turn[T any](ring []T, part time.Duration, current *int64, now time.Time) *T {
	size := int64(len(ring))
	at := max(now.UnixNano()/int64(part), *current)
	for range min(at-*current, size) {
		*current++
		clear(ring[*current%size:][:1])
	}
	*current = at
	return &ring[at%size]
}
