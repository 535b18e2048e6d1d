package linktest

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// packet is on its way. All times count from the start of the line.
type packet struct {
	data    []byte
	deliver func([]byte)
	size    int // with headers
	arrived time.Duration
	due     time.Duration
	order   int // among those that are due at the same time
}

// model decides what happens to packets, and when. It is a pure state machine: it is told the time, which never goes
// back. Events have the times at which they are due, however late the model is asked.
type model struct {
	shape Shape
	dice  dice
	stats Stats

	waiting []packet      // for their turn to use the link; the first is using it
	left    float64       // bits that the first still takes
	since   time.Duration // when it had so many left
	free    time.Duration // when the link was last free
	bytes   int           // that wait, or are held by a stall
	held    []held        // have used the link, and leave when the stall is over
	stall   [2]time.Duration
	last    time.Duration // when the last packet arrives that keeps its order
	credit  float64       // bits that may pass at once
	air     air           // packets that have left, and arrive when they are due
	orders  int
}

// held is a number of bytes that occupy the queue until a moment.
type held struct {
	until time.Duration
	bytes int
}

func newModel(s Shape, seed uint64) *model {
	if s.Queue == 0 {
		s.Queue = DefaultQueue
	}
	m := &model{shape: s, dice: newDice(seed), credit: float64(8 * s.Burst)}
	m.stats.shape = s
	m.stall = m.nextStall(0)
	return m
}

// dice is a source of random numbers for each decision, so that what befalls the nth packet depends on nothing else.
type dice struct{ stalls, jitter, loss, order, twice *rand.Rand }

func newDice(seed uint64) dice {
	one := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
	return dice{one(1), one(2), one(3), one(4), one(5)}
}

// add takes a packet at a moment.
func (m *model) add(now time.Duration, p packet) {
	m.settle(now)
	p.arrived = now
	m.stats.Offered.add(p.size)
	switch {
	case m.shape.Police:
		m.police(now, p)
	case m.bytes+p.size > m.shape.Queue:
		m.stats.Overflowed.add(p.size)
		m.stats.second(now).Dropped++
	default:
		m.bytes += p.size
		m.waiting = append(m.waiting, p)
		if len(m.waiting) == 1 {
			m.begin(now)
		}
		m.settle(now)
	}
}

// police lets a packet pass without waiting, or drops it.
func (m *model) police(now time.Duration, p packet) {
	m.save(now)
	if m.credit < float64(8*p.size) {
		m.stats.Policed.add(p.size)
		m.stats.second(now).Dropped++
		return
	}
	m.credit -= float64(8 * p.size)
	m.free = now
	m.leave(now, p)
}

// save turns the time in which the link was not used into credit.
func (m *model) save(now time.Duration) {
	m.credit = min(m.credit+m.shape.capacity(m.free, now), float64(8*m.shape.Burst))
	m.free = now
}

// begin has the first of the waiting packets use the link.
func (m *model) begin(now time.Duration) {
	m.save(now)
	bits := float64(8 * m.waiting[0].size)
	used := min(bits, m.credit)
	m.credit -= used
	m.left, m.since = bits-used, now
}

// finish is when the first of the waiting packets has used the link.
func (m *model) finish() time.Duration {
	if len(m.waiting) == 0 {
		return never
	}
	return m.shape.passed(m.since, m.left)
}

// settle does what is due with the queue.
func (m *model) settle(now time.Duration) {
	for at := m.finish(); at <= now; at = m.finish() {
		p := m.waiting[0]
		m.waiting = m.waiting[1:]
		m.free = at
		leaves := m.pass(at)
		if leaves > at {
			m.held = append(m.held, held{leaves, p.size})
		} else {
			m.bytes -= p.size
		}
		m.stats.second(leaves).wait(leaves - p.arrived)
		m.leave(leaves, p)
		if len(m.waiting) > 0 {
			m.begin(at)
		}
	}
	for len(m.held) > 0 && m.held[0].until <= now {
		m.bytes -= m.held[0].bytes
		m.held = m.held[1:]
	}
}

// pass is when a packet leaves that has used the link: at once, or at the end of the stall.
func (m *model) pass(at time.Duration) time.Duration {
	for m.stall[1] <= at {
		m.stall = m.nextStall(m.stall[1])
	}
	if m.stall[0] <= at {
		return m.stall[1]
	}
	return at
}

func (m *model) nextStall(after time.Duration) [2]time.Duration {
	s := m.shape.Stalls
	if s.Pause == 0 {
		return [2]time.Duration{never, never}
	}
	begin := after + time.Duration(m.dice.stalls.ExpFloat64()*float64(s.Pause))
	return [2]time.Duration{begin, begin + s.Min + time.Duration(m.dice.stalls.Float64()*float64(s.Max-s.Min))}
}

// leave sends a packet through the air, where it may be lost, overtaken, or doubled.
func (m *model) leave(at time.Duration, p packet) {
	jitter := time.Duration(m.dice.jitter.Float64() * float64(m.shape.Jitter))
	overtaken, twice := m.dice.order.Float64() < m.shape.Reorder, m.dice.twice.Float64() < m.shape.Duplicate
	if m.lose() {
		m.stats.Lost.add(p.size)
		m.stats.second(at).Lost++
		return
	}
	p.due = max(m.last, at+m.shape.Delay+jitter)
	if overtaken {
		p.due += m.shape.Overtaken
		m.stats.Reordered++
	} else {
		m.last = p.due
	}
	m.fly(p)
	if twice {
		m.stats.Duplicated++
		p.data = append([]byte(nil), p.data...) // each belongs to whoever gets it
		m.fly(p)
	}
}

func (m *model) fly(p packet) {
	m.orders++
	p.order = m.orders
	heap.Push(&m.air, p)
}

// lose decides about the next packet.
func (m *model) lose() bool {
	l := m.shape.Loss
	if l.Share == 0 {
		return false
	}
	chance := l.Share
	if l.Burst > 1 {
		// The shares of both states follow from their mean lengths: bad ones last Burst packets.
		chance = l.Share / (1 - l.Share) / l.Burst
		if m.stats.losing {
			chance = 1 - 1/l.Burst
		}
	}
	m.stats.losing = m.dice.loss.Float64() < chance
	return m.stats.losing
}

// next is when something is due.
func (m *model) next() time.Duration {
	at := m.finish()
	if len(m.air) > 0 {
		at = min(at, m.air[0].due)
	}
	return at
}

// arrive appends the packets that are due.
func (m *model) arrive(now time.Duration, to []packet) []packet {
	m.settle(now)
	for len(m.air) > 0 && m.air[0].due <= now {
		p := heap.Pop(&m.air).(packet)
		m.stats.arrived(p, now)
		to = append(to, p)
	}
	return to
}

// renew hands what is on the way to another model, which begins now.
func (m *model) renew(next *model, now time.Duration) *model {
	next.last = m.last - now
	for _, p := range m.air {
		p.due = max(0, p.due-now)
		next.stats.Offered.add(p.size)
		next.fly(p)
	}
	for _, p := range m.waiting {
		next.add(0, p)
	}
	return next
}

// drop loses everything that is on the way.
func (m *model) drop(now time.Duration) {
	m.settle(now)
	for _, p := range append(m.waiting, m.air...) {
		m.stats.Cut.add(p.size)
	}
	m.waiting, m.air, m.held, m.bytes, m.free = nil, nil, nil, 0, max(m.free, now)
}

// air is a heap of packets by the time at which they arrive.
type air []packet

func (a air) Len() int { return len(a) }
func (a air) Less(i, j int) bool {
	return a[i].due < a[j].due || a[i].due == a[j].due && a[i].order < a[j].order
}
func (a air) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *air) Push(p any)   { *a = append(*a, p.(packet)) }
func (a *air) Pop() any {
	last := len(*a) - 1
	p := (*a)[last]
	(*a)[last] = packet{}
	*a = (*a)[:last]
	return p
}
