package work

import (
	"slices"
	"time"

	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
)

const (
	// keptEpochs is how many lives of the device are remembered, so that what is late is told from what is new.
	keptEpochs = 8
	// keptGaps is how far back it is remembered which results never came.
	keptGaps = 4096
	// joining is how long the very first result waits: what was captured before is of no interest to who has just come.
	joining = 500 * time.Millisecond
)

// order puts results in the order in which their frames were captured. It waits for one that has not come at most
// window after a later one has, and keeps no more than most results and maxBytes of them.
type order struct {
	window   time.Duration
	most     int
	maxBytes int

	epoch    int64
	past     []int64 // epochs before, newest last
	begun    bool    // something of this epoch was taken
	first    int64   // what was taken first
	next     int64   // what comes next
	captured time.Time
	gaps     map[int64]struct{} // what was not waited for any longer, of the last keptGaps

	ready   []*workv1.Result // of epochs before
	waiting []entry          // by sequence
	bytes   int              // of what is waiting

	stats Stats
}

type entry struct {
	*workv1.Result
	came time.Time
	size int
}

func newOrder(window time.Duration, most, maxBytes int) *order {
	return &order{window: window, most: most, maxBytes: maxBytes, gaps: map[int64]struct{}{}}
}

// put takes a result of size bytes.
func (o *order) put(r *workv1.Result, size int, now time.Time) {
	if !valid(r) {
		o.stats.Invalid++
		return
	}
	if r.GetEpoch() != o.epoch {
		if slices.Contains(o.past, r.GetEpoch()) && !o.news(r) {
			o.stats.Late++
			return
		}
		o.turn(r.GetEpoch())
	}
	if o.begun && r.GetSequence() < o.next {
		if !o.news(r) {
			o.behind(r.GetSequence())
			return
		}
		o.turn(o.epoch) // the numbers start over, or one was wrong
	}
	i, found := slices.BinarySearchFunc(o.waiting, r.GetSequence(), func(e entry, n int64) int {
		return compare(e.GetSequence(), n)
	})
	if found {
		o.stats.Duplicate++
		return
	}
	o.waiting = slices.Insert(o.waiting, i, entry{r, now, size})
	o.bytes += size
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// valid reports whether a result names its frame and says what became of it.
func valid(r *workv1.Result) bool {
	return r.GetEpoch() > 0 && r.GetSequence() >= 0 && r.GetCaptureTime().CheckValid() == nil &&
		r.GetOutcome() != workv1.Outcome_OUTCOME_UNSPECIFIED
}

// news reports whether a frame was captured after all that was taken.
func (o *order) news(r *workv1.Result) bool { return r.GetCaptureTime().AsTime().After(o.captured) }

// behind counts a result whose turn is over.
func (o *order) behind(sequence int64) {
	_, missed := o.gaps[sequence]
	switch {
	case missed:
		delete(o.gaps, sequence)
		o.stats.Missing--
		o.stats.Late++
	case sequence < o.first, sequence < o.next-keptGaps:
		o.stats.Late++
	default:
		o.stats.Duplicate++
	}
}

// turn begins an epoch. What waits is of the one before, and is waited for no longer.
func (o *order) turn(epoch int64) {
	for len(o.waiting) > 0 {
		o.ready = append(o.ready, o.emit())
	}
	o.past = slices.DeleteFunc(o.past, func(e int64) bool { return e == epoch })
	if o.epoch != epoch && o.epoch != 0 {
		o.past = append(o.past, o.epoch)
		o.past = o.past[max(0, len(o.past)-keptEpochs):]
	}
	o.epoch, o.begun, o.first, o.next = epoch, false, 0, 0
	clear(o.gaps)
}

// take returns the next result whose turn it is, nil if there is none yet.
func (o *order) take(now time.Time) *workv1.Result {
	if len(o.ready) > 0 {
		r := o.ready[0]
		o.ready[0] = nil
		o.ready = o.ready[1:]
		return r
	}
	if len(o.waiting) == 0 {
		return nil
	}
	due, _ := o.due()
	if o.waiting[0].GetSequence() != o.next && now.Before(due) && len(o.waiting) <= o.most && o.bytes <= o.maxBytes {
		return nil
	}
	return o.emit()
}

// due is when take returns what waits for an earlier one; false if nothing does.
func (o *order) due() (at time.Time, waits bool) {
	window := o.window
	if !o.begun && len(o.past) == 0 {
		window = min(window, joining)
	}
	for _, e := range o.waiting {
		if end := e.came.Add(window); !waits || end.Before(at) {
			at, waits = end, true
		}
	}
	return at, waits
}

// held is how many results there are.
func (o *order) held() int { return len(o.ready) + len(o.waiting) }

// emit removes the first that waits, and gives up what should have come before it.
func (o *order) emit() *workv1.Result {
	e := o.waiting[0]
	o.waiting = slices.Delete(o.waiting, 0, 1)
	o.bytes -= e.size
	sequence := e.GetSequence()
	if !o.begun {
		o.begun, o.first = true, sequence
	} else {
		o.giveUp(o.next, sequence)
	}
	o.next = sequence + 1
	if at := e.GetCaptureTime().AsTime(); at.After(o.captured) || o.first == sequence {
		o.captured = at
	}
	return e.Result
}

// giveUp counts the results from one number up to another, and remembers that they may be late.
func (o *order) giveUp(from, to int64) {
	o.stats.Missing += uint64(to - from)
	for n := max(from, to-keptGaps); n < to; n++ {
		o.gaps[n] = struct{}{}
	}
	if len(o.gaps) > 2*keptGaps {
		for n := range o.gaps {
			if n < to-keptGaps {
				delete(o.gaps, n)
			}
		}
	}
}
