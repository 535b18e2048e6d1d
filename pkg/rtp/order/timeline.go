package order

import "time"

// Timeline unwraps timestamps of 32 bits. Rate is to be set.
type Timeline struct {
	Rate    int64 // ticks per second
	started bool
	last    uint32
	ticks   int64 // of last
}

// Advance returns the time of the next packet.
func (t *Timeline) Advance(timestamp uint32) time.Duration {
	if !t.started {
		t.started, t.last, t.ticks = true, timestamp, int64(timestamp)
	}
	t.ticks += int64(int32(timestamp - t.last))
	t.last = timestamp
	return t.duration(t.ticks)
}

// At returns the time of a timestamp near the last packet.
func (t *Timeline) At(timestamp uint32) time.Duration {
	return t.duration(t.ticks + int64(int32(timestamp-t.last)))
}

func (t *Timeline) duration(ticks int64) time.Duration {
	return time.Duration(ticks/t.Rate)*time.Second + time.Duration(ticks%t.Rate)*time.Second/time.Duration(t.Rate)
}

// Started reports whether there was a packet.
func (t *Timeline) Started() bool { return t.started }

// Last returns the timestamp of the last packet.
func (t *Timeline) Last() uint32 { return t.last }
