package preprocess

import (
	"errors"
	"fmt"
	"time"

	"github.com/waldo-robot/waldo/video/source"
)

const (
	// patience is how long a picture may wait for its change, beside what the command holds back.
	patience = 200 * time.Millisecond
	// maxPatience bounds that for slow cameras and a command that holds pictures back.
	maxPatience = 2 * time.Second
	// maxHeld is how many pictures a command may hold back.
	maxHeld = 3
	// maxInside is how many pictures can be inside the command.
	maxInside = maxHeld + 2
	// maxWaiting bounds the memory of pictures that wait.
	maxWaiting = 8
	// stall is the time without a picture after which the command is taken to hold back those that it has.
	stall = 250 * time.Millisecond
	// startAfter is how long a command may take for its first picture: some load a model first.
	startAfter = time.Minute
	// hangAfter is how long it may take for any other.
	hangAfter = 3 * time.Second
)

// Errors of a command that does not keep its side.
var (
	errTooMuch = errors.New("it writes more than it is given: for each picture it must write one of the same size")
	errSilent  = fmt.Errorf("it gave no picture for the first %d in %v: for each it must write one of the same size",
		maxHeld+1, startAfter)
	errHangs = fmt.Errorf("it gave no picture for %v", hangAfter)
)

// Results of a picture.
const (
	changed = "changed"
	busy    = "busy" // the command had others to do
	late    = "late" // it took too long
	down    = "down" // it did not run
)

// entry is a picture in the line.
type entry struct {
	frame  source.Frame
	due    time.Time // when it goes on, changed or not
	asked  time.Time // when the command got it; zero if it did not
	change []byte
	gone   bool
	result string
}

// phase is how well the command is known.
type phase int

const (
	starting phase = iota // it has not given a picture yet, and gets one more whenever it stalls
	draining              // it gave one, and gets none until it is known how many it holds back
	running
)

// line keeps the order of pictures, and decides which the command gets and how long each waits. It is a pure state
// machine, for one goroutine; pass is called for each picture that goes on.
type line struct {
	pass func(f source.Frame, result string)

	waiting []*entry // in order
	inside  []*entry // what the present command has, in order; some may be gone
	up      bool     // there is a command
	phase   phase
	limit   int       // of inside while it is starting
	held    int       // how many it holds back
	trusted bool      // it is fast enough
	quick   bool      // with time to spare, so that it may have one more while it works
	since   time.Time // when it last gave a picture, or began to owe one
	fed     time.Time // when it last got one
}

// begin begins with a command, or goes on with one after nobody watched.
func (l *line) begin(now time.Time) { l.since = now }

// start begins a conversation with a new command.
func (l *line) start(now time.Time) {
	l.end(now)
	l.up, l.phase, l.limit, l.held, l.trusted, l.quick, l.since = true, starting, 1, 0, true, true, now
}

// end forgets the command. Pictures that waited for it go on.
func (l *line) end(now time.Time) {
	l.up, l.inside = false, nil
	l.release(now, down)
}

// release lets everything that waits go on.
func (l *line) release(now time.Time, why string) {
	for _, e := range l.waiting {
		if e.change == nil {
			e.due, e.result = now, why
		}
	}
	l.flush(now)
}

// drop forgets the pictures that wait.
func (l *line) drop() {
	for _, e := range l.waiting {
		e.gone, e.change, e.frame.Data = true, nil, nil
	}
	l.waiting = nil
}

// add takes a picture, and reports whether the command must get it.
func (l *line) add(now time.Time, f source.Frame) (ask bool) {
	e := &entry{frame: f, due: now, result: down}
	if l.up {
		e.result = busy
	}
	if ask = l.up && len(l.inside) < l.room(); ask {
		if len(l.inside) <= l.held {
			l.since = now
		}
		e.asked, e.result, l.fed = now, late, now
		if l.trusted {
			e.due = now.Add(l.patience(f))
		}
		l.inside = append(l.inside, e)
	}
	if l.waiting = append(l.waiting, e); len(l.waiting) > maxWaiting {
		l.waiting[0].due = now
	}
	l.flush(now)
	return ask
}

// room is how many pictures may be inside the command.
func (l *line) room() int {
	switch {
	case l.phase == starting:
		return l.limit
	case l.phase == draining:
		return 0
	case l.trusted && l.quick:
		return l.held + 2
	}
	return l.held + 1
}

// patience is how long a picture may wait. One that the command holds back waits for the next ones.
func (l *line) patience(f source.Frame) time.Duration {
	rate := f.Format.GetFrameRateHz()
	if rate <= 0 {
		return patience
	}
	return min(patience+time.Duration(2*float64(l.held)/rate*float64(time.Second)), maxPatience)
}

// back takes what the command made of the picture that it had first.
func (l *line) back(now time.Time, data []byte) error {
	if len(l.inside) == 0 {
		return errTooMuch
	}
	e := l.inside[0]
	l.inside = l.inside[1:]
	began := e.asked
	if l.since.After(began) {
		began = l.since // it had another one before
	}
	took := now.Sub(began)
	l.since = now
	if !e.gone {
		e.change, e.result = data, changed
	}
	switch l.phase {
	case starting:
		l.phase = draining
	case running:
		l.held = min(l.held, len(l.inside)) // a slow one may have been taken for one that holds back
		limit := l.patience(e.frame)
		l.trusted, l.quick = took <= limit, took <= limit/2
	}
	l.flush(now)
	return nil
}

// tick does what is due. The error is why the command has to be ended.
func (l *line) tick(now time.Time) error {
	quiet := now.Sub(l.since)
	switch {
	case !l.up:
	case l.phase == starting && len(l.inside) > maxHeld && quiet >= startAfter:
		return errSilent
	case l.phase == starting && len(l.inside) == l.limit && l.limit <= maxHeld && now.Sub(l.fed) >= stall:
		l.limit++
	case l.phase == running && len(l.inside) > l.held && quiet >= hangAfter:
		return errHangs
	}
	l.flush(now)
	return nil
}

// next is when tick has something to do if nothing happens before; false for never.
func (l *line) next() (at time.Time, ok bool) {
	sooner := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if len(l.waiting) > 0 {
		sooner(l.waiting[0].due)
	}
	switch {
	case !l.up:
	case l.phase == draining:
		sooner(l.since.Add(stall))
	case l.phase == starting && len(l.inside) == l.limit && l.limit <= maxHeld:
		sooner(l.fed.Add(stall))
	case l.phase == starting && len(l.inside) > maxHeld:
		sooner(l.since.Add(startAfter))
	case l.phase == running && len(l.inside) > l.held:
		sooner(l.since.Add(hangAfter))
	}
	return at, ok
}

// flush lets those go on, in order, that are changed or due, and notes when the command is known.
func (l *line) flush(now time.Time) {
	if l.phase == draining && (len(l.inside) == 0 || now.Sub(l.since) >= stall) {
		l.phase, l.held, l.trusted, l.quick = running, len(l.inside), true, true
	}
	for len(l.waiting) > 0 {
		e := l.waiting[0]
		if e.change == nil && now.Before(e.due) {
			return
		}
		l.waiting = l.waiting[1:]
		e.gone = true
		f := e.frame
		if e.change != nil {
			f.Data = e.change
		} else if e.result == late && l.trusted {
			l.trusted = false
			for _, other := range l.waiting {
				other.due = now
			}
		}
		l.pass(f, e.result)
		e.frame.Data = nil // it may stay inside for long
	}
}
