package paths

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	referenceUnit = 64 * time.Millisecond // of the reference time of a report
	referenceBits = 24
)

// arrivalClock continues the reference times of reports, which wrap after 12.4 days.
type arrivalClock struct {
	began bool
	last  uint32 // as it came
	now   int64  // continued, in units
}

// unwrap returns a reference time on the far end's clock, whose zero is unknown.
func (c *arrivalClock) unwrap(reference uint32) time.Duration {
	if !c.began {
		c.began, c.last, c.now = true, reference, int64(reference)
	}
	const shift = 32 - referenceBits
	c.now += int64(int32((reference-c.last)<<shift) >> shift)
	c.last = reference
	return time.Duration(c.now) * referenceUnit
}

// arrival is what a report says about a packet.
type arrival struct {
	number uint16
	came   bool
	timed  bool          // at is known
	at     time.Duration // on the far end's clock
}

// reading walks through a report.
type reading struct {
	report *rtcp.TransportLayerCC
	at     time.Duration
	deltas []*rtcp.RecvDelta
	read   int // statuses
	yield  func(arrival) bool
}

// readFeedback calls yield for each packet of a report, in the order of their numbers, until it returns false. What is
// no report, or contradicts itself, ends early.
func readFeedback(f *rtcp.TransportLayerCC, reference time.Duration, yield func(arrival) bool) {
	r := reading{report: f, at: reference, deltas: f.RecvDeltas, yield: yield}
	for _, c := range f.PacketChunks {
		if !r.chunk(c) {
			return
		}
	}
}

func (r *reading) chunk(c rtcp.PacketStatusChunk) (more bool) {
	switch c := c.(type) {
	case *rtcp.RunLengthChunk:
		for range c.RunLength {
			if !r.status(c.PacketStatusSymbol) {
				return false
			}
		}
	case *rtcp.StatusVectorChunk:
		for _, symbol := range c.SymbolList {
			if !r.status(symbol) {
				return false
			}
		}
	}
	return true
}

// status reads one status, and the time that belongs to it.
func (r *reading) status(symbol uint16) (more bool) {
	if r.read >= int(r.report.PacketStatusCount) {
		return false
	}
	a := arrival{number: r.report.BaseSequenceNumber + uint16(r.read)}
	r.read++
	switch symbol {
	case rtcp.TypeTCCPacketReceivedSmallDelta, rtcp.TypeTCCPacketReceivedLargeDelta:
		if len(r.deltas) == 0 || r.deltas[0] == nil {
			return false
		}
		r.at += time.Duration(r.deltas[0].Delta) * time.Microsecond
		r.deltas = r.deltas[1:]
		a.came, a.timed, a.at = true, true, r.at
	case rtcp.TypeTCCPacketReceivedWithoutDelta:
		a.came = true
	}
	return r.yield(a)
}
