package peer

import (
	"slices"
	"time"
)

// heard is when the last packet came by the present path, checks of the path aside; zero if none has.
func (c *connection) heard() time.Time {
	stats, ok := c.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePairStats()
	if !ok || stats.PacketsReceived == 0 {
		return time.Time{}
	}
	return stats.LastPacketReceivedTimestamp.Time()
}

// receives reports whether a stream should arrive.
func (c *connection) receives() bool {
	return slices.ContainsFunc(c.agreed, func(k streamKey) bool { return c.sections[k].local == nil })
}
