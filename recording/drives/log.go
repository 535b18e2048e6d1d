package drives

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/audit"
)

// log reads the audit log of a device.
type log struct {
	book   *Book
	name   audit.Name
	drives []*Drive
	open   *Drive // that has not ended; nil if there is none
	last   *Drive // that ended last, if nobody has driven since; nil otherwise
	stop   *EStop // that was not cleared; nil if there is none
	lost   int64
}

// line reads the next line.
func (l *log) line(read audit.Line) error {
	if !read.Readable {
		return nil
	}
	e := read.Event
	device := cmp.Or(e.Device, l.name.Process)
	if only := l.book.config.Device; only != "" && device != only {
		return nil
	}
	l.lost += read.Lost
	switch e.Kind {
	case audit.Started:
		l.end(read.Time, endedProcess)
	case audit.LeaseAcquired, audit.LeaseTaken:
		l.begin(device, read)
	case audit.LeaseEnded:
		l.ended(read)
	case audit.EStop:
		l.pressed(&EStop{Robot: l.name.Robot, Device: device, Time: read.Time, By: e.Who, Token: e.Token, From: e.From,
			Reason: e.Reason})
	case audit.EStopCleared:
		if l.stop != nil {
			l.stop.Cleared, l.stop.ClearedBy, l.stop = read.Time, e.Who, nil
		}
	}
	return nil
}

func (l *log) begin(device string, read audit.Line) {
	e := read.Event
	l.end(read.Time, endedTaken)
	d := &Drive{Robot: l.name.Robot, Device: device, Who: e.Who, Token: e.Token, From: e.From, Begin: read.Time,
		Logged: true}
	if e.Kind == audit.LeaseTaken {
		d.Took = e.Reason
	}
	if epoch, number, ok := parseLease(e.What); ok {
		d.Epoch, d.Lease = epoch, number
		l.book.know(d)
	}
	l.drives, l.open, l.last = append(l.drives, d), d, nil
}

// parseLease reads the name of a lease: the life of the process, and the number of the lease in it.
func parseLease(text string) (epoch, number int64, ok bool) {
	life, count, _ := strings.Cut(text, "/")
	epoch, err := strconv.ParseInt(life, 10, 64)
	number, failed := strconv.ParseInt(count, 10, 64)
	return epoch, number, err == nil && failed == nil && epoch > 0 && number > 0
}

// end ends the drive that is open, if there is one.
func (l *log) end(at time.Time, why string) {
	if l.open != nil {
		l.open.End, l.open.Ended = at, why
		l.open, l.last = nil, l.open
	}
}

// ended is told of the end of a drive: the one that is open, or one of a process that has been replaced meanwhile.
func (l *log) ended(read audit.Line) {
	epoch, number, named := parseLease(read.Event.What)
	if l.open != nil && (!named || l.open.Epoch == epoch && l.open.Lease == number) {
		l.end(read.Time, read.Event.Reason)
		return
	}
	key := lease{life{l.name.Robot, cmp.Or(read.Event.Device, l.name.Process), epoch}, number}
	if d := l.book.byLease[key]; named && d != nil && d.Ended == endedProcess {
		d.End, d.Ended = read.Time, read.Event.Reason
	}
}

// afterwards is how long after the end of a drive an e-stop still counts for it, if nobody has driven since: a page
// releases its lease as it sends an e-stop, and either may arrive first.
const afterwards = 2 * time.Second

func (l *log) pressed(e *EStop) {
	l.stop = e
	to := &l.book.EStops
	if d := l.open; d != nil {
		to = &d.EStops
	} else if d = l.last; d != nil && !e.Time.Before(d.End) && e.Time.Sub(d.End) <= afterwards {
		to = &d.EStops
	}
	if len(*to) < maxEStops {
		*to = append(*to, e)
	}
}
