// Package order puts the RTP packets of one track in order, and notices those that are missing, doubled, or of another
// stream.
//
// A [Queue] counts them. A gap is a loss, a duplicate is ignored, and a step of more than 1000 numbers or a new SSRC is
// a restart. If the SSRC before is still heard, there are two streams in one, and the first is kept. Packets that
// overtake others wait for them: up to a number of packets and a time that the owner of the Queue chooses.
//
// # Concurrency and shutdown
//
// A Queue belongs to one goroutine. It starts none and reads no clock: its owner calls Expire at Deadline. There is
// nothing to close. It never writes to packets.
package order

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

// maxStep is how many numbers packets may skip; more is a restart.
const maxStep = 1000

// Packet is a packet, and when it came.
type Packet struct {
	*rtp.Packet
	Arrival time.Time
}

// News is what happened between a packet and the one before it.
type News struct {
	Lost    int  // packets that are missing
	Restart bool // the sender began to count from another number, or with another SSRC
}

// Queue puts packets in order. The zero value is ready to use.
type Queue struct {
	// Window is how many packets may wait for late ones, and Wait how long. 0: none do, and numbers that stand still say
	// nothing.
	Window int
	Wait   time.Duration

	started bool
	ssrc    uint32
	next    uint16   // the number to come
	newest  uint32   // timestamp
	behind  int      // packets behind in a row …
	newer   int      // … of these newer than all before
	waiting []Packet // ahead of next, in the order of their numbers
	restart bool     // what comes next is another stream

	last     []byte    // payload of the last packet, by which duplicates are known
	heard    time.Time // when it came
	twin     uint32    // the SSRC of another stream that runs beside this one …
	twins    bool      // … if there is one
	former   uint32    // the SSRC before this one
	switched time.Time // when that was
}

// Push takes a packet and passes on those whose turn it is.
func (o *Queue) Push(h Packet, out func(Packet, News)) {
	step := int(int16(h.SequenceNumber - o.next))
	switch {
	case !o.started:
		o.begin(h, News{}, out)
	case h.SSRC != o.ssrc:
		o.other(h, out)
	case o.restart, step > maxStep, step < -maxStep:
		o.begin(h, News{Restart: true}, out)
	case step == -1 && o.Window == 0 && !bytes.Equal(h.Payload, o.last):
		o.next-- // the camera does not count
		o.pass(h, out)
	case step < 0:
		o.late(h, out)
	case step > 0 && o.Window > 0:
		o.wait(h, out)
	default:
		o.pass(h, out)
		o.drain(out)
	}
}

func (o *Queue) begin(h Packet, n News, out func(Packet, News)) {
	p := h.Packet
	*o = Queue{
		Window: o.Window, Wait: o.Wait, started: true, ssrc: p.SSRC, next: p.SequenceNumber + 1, newest: p.Timestamp,
		last: p.Payload, heard: h.Arrival, twin: o.twin, twins: o.twins, former: o.former, switched: o.switched,
	}
	out(h, n)
}

// alone is how long a stream must be silent before one that ran beside it may take its place.
const alone = time.Second

// other takes a packet of another SSRC. The camera goes on with that, or sends two streams in one: then the one that
// came first is kept for as long as it lasts.
func (o *Queue) other(h Packet, out func(Packet, News)) {
	ssrc, before := h.SSRC, o.ssrc
	switch {
	case o.twins && ssrc == o.twin && h.Arrival.Sub(o.heard) < alone:
		return
	case ssrc == o.former && !o.switched.IsZero() && h.Arrival.Sub(o.switched) < alone:
		o.twin, o.twins, o.switched = before, true, time.Time{}
	default:
		o.former, o.switched = before, h.Arrival
	}
	o.begin(h, News{Restart: true}, out)
}

// late takes a packet that is behind.
func (o *Queue) late(h Packet, out func(Packet, News)) {
	o.behind++
	if int32(h.Timestamp-o.newest) > 0 {
		o.newer++
	} else {
		o.newer = 0
	}
	if o.behind >= behindLimit || o.newer >= newerLimit {
		o.begin(h, News{Restart: true}, out)
	}
}

// pass hands on a packet that is at its turn, or whose turn is given to it.
func (o *Queue) pass(h Packet, out func(Packet, News)) {
	lost := int(h.SequenceNumber - o.next)
	o.next, o.behind, o.newer = h.SequenceNumber+1, 0, 0
	o.last, o.heard = h.Payload, h.Arrival
	if int32(h.Timestamp-o.newest) > 0 {
		o.newest = h.Timestamp
	}
	out(h, News{Lost: lost})
}

// wait holds a packet back because one before it is missing.
func (o *Queue) wait(h Packet, out func(Packet, News)) {
	i, twice := slices.BinarySearchFunc(o.waiting, h, func(a, b Packet) int {
		return cmp.Compare(a.SequenceNumber-o.next, b.SequenceNumber-o.next)
	})
	if twice {
		return
	}
	o.waiting = slices.Insert(o.waiting, i, h)
	if len(o.waiting) >= o.Window {
		o.skip(out)
	}
}

// skip gives up the missing packet.
func (o *Queue) skip(out func(Packet, News)) {
	o.first(out)
	o.drain(out)
}

// drain passes on packets that have waited and are at their turn now.
func (o *Queue) drain(out func(Packet, News)) {
	for len(o.waiting) > 0 && o.waiting[0].SequenceNumber == o.next {
		o.first(out)
	}
}

// first passes on the first packet that waits.
func (o *Queue) first(out func(Packet, News)) {
	h := o.waiting[0]
	o.waiting = slices.Delete(o.waiting, 0, 1)
	o.pass(h, out)
}

// Restart says that what comes next does not go on with what came before.
func (o *Queue) Restart() { o.restart = true }

// Follows reports whether the packets passed on were of an SSRC.
func (o *Queue) Follows(ssrc uint32) bool { return o.started && o.ssrc == ssrc }

// Waiting returns how many packets wait for late ones.
func (o *Queue) Waiting() int { return len(o.waiting) }

// Missing returns the numbers of the packets that others wait for, in order, but no more than limit.
func (o *Queue) Missing(limit int) (numbers []uint16) {
	next := o.next
	for _, w := range o.waiting {
		for ; next != w.SequenceNumber; next++ {
			if len(numbers) == limit {
				return numbers
			}
			numbers = append(numbers, next)
		}
		next++
	}
	return numbers
}

// Deadline is when Expire is to be called, because the oldest packet has waited long enough; zero if none waits.
func (o *Queue) Deadline() time.Time {
	var first time.Time
	for _, h := range o.waiting {
		if first.IsZero() || h.Arrival.Before(first) {
			first = h.Arrival
		}
	}
	if first.IsZero() {
		return first
	}
	return first.Add(o.Wait)
}

// Expire gives up packets that did not come before now.
func (o *Queue) Expire(now time.Time, out func(Packet, News)) {
	for t := o.Deadline(); !t.IsZero() && !now.Before(t); t = o.Deadline() {
		o.skip(out)
	}
}
