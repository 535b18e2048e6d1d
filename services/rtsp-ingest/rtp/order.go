package rtp

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/pion/rtp"
)

// Packets that are behind the others are duplicates or too late, unless these many come in a row: then the
// camera restarted its numbers a little behind. Those that are newer than all before cannot be duplicates.
const (
	behindLimit = 64
	newerLimit  = 3
)

// held is a packet, and when it came.
type held struct {
	packet  *rtp.Packet
	arrival time.Time
}

// order puts packets in order, and notices those that are missing, doubled, or of another stream. The zero
// value is ready to use.
type order struct {
	window  int // packets that may wait for late ones; 0: none
	started bool
	ssrc    uint32
	next    uint16 // the number to come
	newest  uint32 // timestamp
	behind  int    // packets behind in a row …
	newer   int    // … of these newer than all before
	waiting []held // ahead of next, in the order of their numbers
	restart bool   // what comes next is another stream

	last     []byte    // payload of the last packet, by which duplicates are known
	heard    time.Time // when it came
	twin     uint32    // the SSRC of another stream that runs beside this one …
	twins    bool      // … if there is one
	former   uint32    // the SSRC before this one
	switched time.Time // when that was
}

// push takes a packet and passes on those whose turn it is.
func (o *order) push(h held, out func(held, news)) {
	step := int(int16(h.packet.SequenceNumber - o.next))
	switch {
	case !o.started:
		o.begin(h, news{}, out)
	case h.packet.SSRC != o.ssrc:
		o.other(h, out)
	case o.restart, step > maxStep, step < -maxStep:
		o.begin(h, news{restart: true}, out)
	case step == -1 && o.window == 0 && !bytes.Equal(h.packet.Payload, o.last):
		o.next-- // the camera does not count
		o.pass(h, out)
	case step < 0:
		o.late(h, out)
	case step > 0 && o.window > 0:
		o.wait(h, out)
	default:
		o.pass(h, out)
		o.drain(out)
	}
}

func (o *order) begin(h held, n news, out func(held, news)) {
	p := h.packet
	*o = order{
		window: o.window, started: true, ssrc: p.SSRC, next: p.SequenceNumber + 1, newest: p.Timestamp,
		last: p.Payload, heard: h.arrival, twin: o.twin, twins: o.twins, former: o.former, switched: o.switched,
	}
	out(h, n)
}

// alone is how long a stream must be silent before one that ran beside it may take its place.
const alone = time.Second

// other takes a packet of another SSRC. The camera goes on with that, or sends two streams in one: then the one that
// came first is kept for as long as it lasts.
func (o *order) other(h held, out func(held, news)) {
	ssrc, before := h.packet.SSRC, o.ssrc
	switch {
	case o.twins && ssrc == o.twin && h.arrival.Sub(o.heard) < alone:
		return
	case ssrc == o.former && !o.switched.IsZero() && h.arrival.Sub(o.switched) < alone:
		o.twin, o.twins, o.switched = before, true, time.Time{}
	default:
		o.former, o.switched = before, h.arrival
	}
	o.begin(h, news{restart: true}, out)
}

// late takes a packet that is behind.
func (o *order) late(h held, out func(held, news)) {
	o.behind++
	if int32(h.packet.Timestamp-o.newest) > 0 {
		o.newer++
	} else {
		o.newer = 0
	}
	if o.behind >= behindLimit || o.newer >= newerLimit {
		o.begin(h, news{restart: true}, out)
	}
}

// pass hands on a packet that is at its turn, or whose turn is given to it.
func (o *order) pass(h held, out func(held, news)) {
	lost := int(h.packet.SequenceNumber - o.next)
	o.next, o.behind, o.newer = h.packet.SequenceNumber+1, 0, 0
	o.last, o.heard = h.packet.Payload, h.arrival
	if int32(h.packet.Timestamp-o.newest) > 0 {
		o.newest = h.packet.Timestamp
	}
	out(h, news{lost: lost})
}

// wait holds a packet back because one before it is missing.
func (o *order) wait(h held, out func(held, news)) {
	i, twice := slices.BinarySearchFunc(o.waiting, h, func(a, b held) int {
		return cmp.Compare(a.packet.SequenceNumber-o.next, b.packet.SequenceNumber-o.next)
	})
	if twice {
		return
	}
	o.waiting = slices.Insert(o.waiting, i, h)
	if len(o.waiting) >= o.window {
		o.skip(out)
	}
}

// skip gives up the missing packet.
func (o *order) skip(out func(held, news)) {
	o.first(out)
	o.drain(out)
}

// drain passes on packets that have waited and are at their turn now.
func (o *order) drain(out func(held, news)) {
	for len(o.waiting) > 0 && o.waiting[0].packet.SequenceNumber == o.next {
		o.first(out)
	}
}

// first passes on the first packet that waits.
func (o *order) first(out func(held, news)) {
	h := o.waiting[0]
	o.waiting = slices.Delete(o.waiting, 0, 1)
	o.pass(h, out)
}

// deadline is when the oldest packet has waited long enough.
func (o *order) deadline() time.Time {
	var first time.Time
	for _, h := range o.waiting {
		first = earlier(first, h.arrival)
	}
	if first.IsZero() {
		return first
	}
	return first.Add(maxWait)
}

func (o *order) expire(now time.Time, out func(held, news)) {
	for t := o.deadline(); !t.IsZero() && !now.Before(t); t = o.deadline() {
		o.skip(out)
	}
}
