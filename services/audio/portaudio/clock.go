package portaudio

import (
	"time"

	pa "github.com/gordonklaus/portaudio"
)

// lost is how late a block may be before the time up to it counts as not captured.
const lost = 200 * time.Millisecond

// clock finds out when blocks were captured. The times that the hardware reports jump to and fro, with a sound server
// by a tenth of a second: so it is followed slowly, and time never goes back.
type clock struct {
	last, next time.Time // first frames of the last block and, if none is lost, of the next
}

// captured is when the first frame of a block was captured that lasts so long and comes now.
func (c *clock) captured(told pa.StreamCallbackTimeInfo, now time.Time, lasts time.Duration) time.Time {
	ago := told.CurrentTime - told.InputBufferAdcTime
	if told.InputBufferAdcTime <= 0 || ago < lasts || ago > time.Second {
		ago = lasts
	}
	at := now.Add(-ago)
	if off := at.Sub(c.next); !c.next.IsZero() && off < lost {
		at = c.next.Add(off / 16)
	}
	if newest := now.Add(-lasts); at.After(newest) {
		at = newest
	}
	if at.Before(c.last) {
		at = c.last
	}
	c.last, c.next = at, at.Add(lasts)
	return at
}
