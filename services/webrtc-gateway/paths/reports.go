package paths

import (
	"time"

	"github.com/pion/rtcp"
)

// maxTrip bounds the round trip that is believed.
const maxTrip = 10 * time.Second

// trip is the round trip.
type trip struct {
	value time.Duration // 0: unknown
	at    time.Time     // when it was measured last
}

// tripAge is how long a measured value stands against greater ones.
const tripAge = 2 * time.Second

// measured takes note of a round trip by a receiver report. These are exact, and come about once a second.
func (t *trip) measured(d time.Duration, now time.Time) {
	if t.value == 0 || now.Sub(t.at) > tripAge {
		t.value = d
	} else {
		t.value += (d - t.value) / 2
	}
	t.value, t.at = max(t.value, time.Millisecond/4), now
}

// atMost takes note of a time that contains a round trip, and how long the peer waited before it reported.
func (t *trip) atMost(d time.Duration, now time.Time) {
	if d > 0 && d < maxTrip && (t.value == 0 || d < t.value) {
		t.value, t.at = d, now
	}
}

// ntpEpoch is the beginning of NTP's time, in seconds before 1970.
const ntpEpoch = 2208988800

// roundTrip returns the round trip that a receiver report contains (RFC 3550, 6.4.1): the time since the sender report
// that it names, without the time that the peer held it.
func roundTrip(r rtcp.ReceptionReport, now time.Time) (time.Duration, bool) {
	if r.LastSenderReport == 0 {
		return 0, false
	}
	seconds := uint64(now.Unix() + ntpEpoch)
	fraction := uint64(now.Nanosecond()) << 16 / 1e9
	middle := uint32(seconds<<16 | fraction) // the middle 32 bits of NTP's 64
	took := int32(middle - r.LastSenderReport - r.Delay)
	d := time.Duration(took) * time.Second >> 16
	return max(d, 0), d > -tolerance && d < maxTrip
}

// tolerance is how far below 0 a round trip may be found: the peer's delay is rounded, and clocks are adjusted.
const tolerance = 5 * time.Millisecond

// limit is what a peer estimates that it can receive.
type limit struct {
	bps int64
	at  time.Time
}

// limitAge is how long an estimate holds: they come every second while packets arrive.
const limitAge = 10 * time.Second

const maxBitrate = 1e9 // nobody sends more; what is above says nothing

func (l *limit) set(bps float32, now time.Time) {
	if !(bps > 0) {
		return // a peer that has no estimate yet, or garbage
	}
	l.bps, l.at = int64(min(bps, maxBitrate)), now
}

// value returns the limit in bit/s, 0 if there is none.
func (l *limit) value(now time.Time) int64 {
	if l.bps >= maxBitrate || now.Sub(l.at) > limitAge {
		return 0
	}
	return l.bps
}
