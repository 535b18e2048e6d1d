package socket

import "iter"

// Run is packets of one size that go to one peer. Each consists of one piece of memory, or of two, such as a header and
// data: nothing is copied. The zero Run is empty. It is not safe for concurrent use.
type Run struct {
	parts  []part
	pieces int // of each packet
	size   int // of each packet; the last may be shorter
	last   int
	bytes  int
	count  int
	to     place // where it is being sent
}

// Add adds a packet, which must stay as it is until it has been sent. It reports false if the packet does not go with
// those before it: then they have to be sent first.
func (r *Run) Add(pieces ...[]byte) bool {
	size := 0
	for _, piece := range pieces {
		size += len(piece)
	}
	if r.count > 0 && (len(pieces) != r.pieces || size > r.size || size == 0 || r.last < r.size ||
		r.count == maxJoined || r.bytes+size > maxBytes) {
		return false
	}
	if r.count == 0 {
		r.pieces, r.size = len(pieces), size
	}
	for _, piece := range pieces {
		r.parts = append(r.parts, newPart(piece))
	}
	r.last = size
	r.bytes += size
	r.count++
	return true
}

// Len returns the number of packets.
func (r *Run) Len() int { return r.count }

// Bytes returns the size of all packets.
func (r *Run) Bytes() int { return r.bytes }

// Reset empties the run.
func (r *Run) Reset() {
	clear(r.parts)
	*r = Run{parts: r.parts[:0]}
}

// Packets returns the packets. One that has several pieces is copied.
func (r *Run) Packets() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range r.count {
			pieces := r.parts[i*r.pieces : (i+1)*r.pieces]
			packet := pieces[0].bytes()
			for _, p := range pieces[1:] {
				packet = append(packet[:len(packet):len(packet)], p.bytes()...)
			}
			if !yield(packet) {
				return
			}
		}
	}
}
