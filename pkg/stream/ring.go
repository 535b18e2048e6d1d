package stream

// ring is a queue of at most limit values. It grows as needed and forgets values as they leave, so that
// the garbage collector can have them.
type ring[T any] struct {
	limit       int
	values      []T
	first, size int
}

func (r *ring[T]) full() bool { return r.size == r.limit }

func (r *ring[T]) push(v T) {
	if r.size == len(r.values) {
		r.grow()
	}
	r.values[(r.first+r.size)%len(r.values)] = v
	r.size++
}

func (r *ring[T]) pop() (v T, ok bool) {
	if r.size == 0 {
		return v, false
	}
	var zero T
	v, r.values[r.first] = r.values[r.first], zero
	r.first = (r.first + 1) % len(r.values)
	r.size--
	return v, true
}

func (r *ring[T]) clear() { r.values, r.first, r.size = nil, 0, 0 }

func (r *ring[T]) grow() {
	bigger := make([]T, min(max(2*len(r.values), 4), r.limit))
	n := copy(bigger, r.values[r.first:])
	copy(bigger[n:], r.values[:r.first])
	r.values, r.first = bigger, 0
}
