package audit

import (
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

const (
	// MaxFile bounds a file in bytes.
	MaxFile = 1 << 20
	// Kept is how many old files stay beside it.
	Kept = 4
	// maxWaiting bounds the events that wait to be written.
	maxWaiting = 256
	// A kind of refusal is written so often at once, and then once in refusalEvery.
	refusalBurst = 10
	refusalEvery = 10 * time.Second
	// All kinds together are written so often at once, and then once in refusalEvery: who finds ever new ways to be
	// refused needs days to push out what matters.
	refusalsBurst = 100
	// maxRefusals bounds the kinds of refusals that are told apart; the rest is one kind.
	maxRefusals = 256
	// lastWords is how long Close waits for what was not written yet.
	lastWords = time.Second
)

// Path is the file of a process of a robot in a folder of state. Robot is empty for what concerns all of them.
func Path(folder, robot, process string) string {
	return filepath.Join(folder, "audit", robot, process+".jsonl")
}

// Log is the log of one process.
type Log struct {
	path  string
	log   *slog.Logger
	queue chan line
	done  chan struct{}
	stop  sync.Once

	mu       sync.Mutex
	head     Head
	closed   bool
	lost     int64
	refusals map[Event]*refusals
	all      refusals // of all kinds
}

// refusals are those of one kind.
type refusals struct {
	allowed float64 // how many may be written now
	last    time.Time
	left    int64 // left out since the last one that was written
}

// Open returns the log in a file. Its folder is made; whatever is wrong with either costs events, and never fails. A
// nil log tells nobody.
func Open(path string, log *slog.Logger) *Log {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Log{path: path, log: log, queue: make(chan line, maxWaiting), done: make(chan struct{}),
		refusals: make(map[Event]*refusals)}
	go l.write()
	return l
}

// Write notes an event. It does not wait.
func (l *Log) Write(e Event) {
	if l == nil {
		return
	}
	e, now := e.bounded(), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	next := line{Time: now.UTC(), Event: e}
	if e.Kind == Refused {
		var ok bool
		if next.Similar, ok = l.allow(e, now); !ok {
			return
		}
	}
	if l.closed {
		return
	}
	next.Lost = l.lost
	select {
	case l.queue <- next:
		l.lost = 0
	default:
		l.lost++
	}
}

// allow reports whether a refusal is to be written, and how many like it were left out; l.mu is held.
func (l *Log) allow(e Event, now time.Time) (left int64, ok bool) {
	kind := Event{Who: e.Who, From: host(e.From), What: e.What, Reason: e.Reason}
	r := l.refusals[kind]
	if r == nil && len(l.refusals) >= maxRefusals {
		l.forget(now)
		if len(l.refusals) >= maxRefusals {
			kind = Event{}
			r = l.refusals[kind]
		}
	}
	if r == nil {
		r = &refusals{allowed: refusalBurst, last: now}
		l.refusals[kind] = r
	}
	r.wait(now, refusalBurst)
	l.all.wait(now, refusalsBurst)
	if r.allowed < 1 || l.all.allowed < 1 {
		r.left++
		return 0, false
	}
	r.allowed--
	l.all.allowed--
	left, r.left = r.left, 0
	return left, true
}

// wait allows more the longer it was waited, up to a burst.
func (r *refusals) wait(now time.Time, burst float64) {
	r.allowed = min(burst, r.allowed+now.Sub(r.last).Seconds()/refusalEvery.Seconds())
	r.last = now
}

// forget makes room for other kinds of refusals; l.mu is held.
func (l *Log) forget(now time.Time) {
	for kind, r := range l.refusals {
		if now.Sub(r.last) > refusalBurst*refusalEvery {
			delete(l.refusals, kind)
		}
	}
}

// Close writes what it has been told, for up to a second, and ends the log. It may be called more than once.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.stop.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.queue)
	})
	select {
	case <-l.done:
	case <-time.After(lastWords): // a disk that hangs
	}
}

// write writes the lines until the queue is closed.
func (l *Log) write() {
	defer close(l.done)
	f := &file{path: l.path}
	defer f.close()
	failing, urgent := false, false
	for next := range l.queue {
		err := f.append(next)
		if err == nil {
			l.setHead(Head{f.end.next - 1, f.end.hash})
			if urgent = urgent || next.Kind != Refused; urgent && len(l.queue) == 0 {
				_ = f.sync() // if the disk does not keep what it took, the system's log says why
				urgent = false
			}
		}
		switch {
		case err != nil && !failing:
			l.log.Error("events are missing in the audit log", "file", l.path, "error", err)
		case err == nil && failing:
			l.log.Info("the audit log is written again", "file", l.path)
		}
		failing = err != nil
		if failing {
			l.mu.Lock()
			l.lost += 1 + next.Lost
			l.mu.Unlock()
		}
	}
}

// Read reads what is in the log, as [Read] does; events that wait to be written are not. A nil Log has nothing.
func (l *Log) Read(each func(Line) error) error {
	if l == nil {
		return nil
	}
	return Read(l.path, each)
}

// Head is the last line that this process has written: the zero Head if there is none.
func (l *Log) Head() Head {
	if l == nil {
		return Head{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

func (l *Log) setHead(h Head) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = h
}
