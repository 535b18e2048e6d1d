package playout

// Bounds of what one talker's packets take.
const (
	queueSlots = 128
	maxPacket  = 4000 // bytes; what libopus recommends to make room for
)

// packet is one Opus packet in its place.
type packet struct {
	sequence int64
	index    int64 // of its first sample
	data     []byte
	known    bool // there was a packet of that sequence
	waiting  bool // it was not taken yet
}

// queue puts packets into the order of their sequence. It keeps at most queueSlots of them, in memory that is used
// again.
type queue struct {
	slots   [queueSlots]packet
	next    int64 // sequence of the packet whose turn it is
	begun   bool  // the turn of the first one is over
	waiting int
}

// fate is what became of a packet.
type fate int

const (
	kept fate = iota
	late
	duplicate
	ahead // so far that it does not fit behind those before it
)

// restart forgets everything and makes it the turn of a packet.
func (q *queue) restart(sequence int64) {
	for i := range q.slots {
		q.slots[i] = packet{data: q.slots[i].data[:0]}
	}
	q.next, q.begun, q.waiting = sequence, false, 0
}

// put copies a packet to its place.
func (q *queue) put(sequence, index int64, data []byte) fate {
	slot := q.slot(sequence)
	switch {
	case slot.known && slot.sequence == sequence:
		return duplicate
	case sequence-q.next >= queueSlots:
		return ahead
	case sequence >= q.next:
	case q.begun || slot.waiting || q.next-sequence >= queueSlots/2:
		return late
	default: // the very first packets came out of order
		q.next = sequence
	}
	if slot.waiting { // only if the first packets came out of order
		q.waiting--
	}
	*slot = packet{sequence: sequence, index: index, data: append(slot.data[:0], data...), known: true, waiting: true}
	q.waiting++
	return kept
}

// get returns the packet of that sequence if it is waiting, and otherwise nil.
func (q *queue) get(sequence int64) *packet {
	if slot := q.slot(sequence); slot.waiting && slot.sequence == sequence {
		return slot
	}
	return nil
}

// after returns the first packet that waits at or behind that sequence, or nil.
func (q *queue) after(sequence int64) *packet {
	for i := int64(0); q.waiting > 0 && i < queueSlots; i++ {
		if p := q.get(sequence + i); p != nil {
			return p
		}
	}
	return nil
}

// pass ends the turns of all packets before that sequence and returns how many of them had been waiting. What get has
// returned stays readable until the next put.
func (q *queue) pass(sequence int64) (waiting int) {
	for q.begun = true; q.next < sequence; q.next++ {
		if p := q.get(q.next); p != nil {
			p.waiting = false
			q.waiting--
			waiting++
		}
	}
	return waiting
}

func (q *queue) slot(sequence int64) *packet { return &q.slots[uint64(sequence)%queueSlots] }
