package frames

import "time"

const (
	// maxResend is how many packets may be asked for at a time. When more are missing, a key frame is the better remedy.
	maxResend = 64
	// resendEvery is how long a packet that was asked for may take.
	resendEvery = 20 * time.Millisecond
)

// asks are the packets that were asked for again.
type asks struct {
	last map[uint16]time.Time // when each that is still missing was asked for
	due  time.Time            // when the next has to be asked for; zero if none is missing
}

// resendIfNeeded asks for packets that others wait for.
func (v *Video) resendIfNeeded(now time.Time) {
	if v.config.Resend == nil {
		return
	}
	a := &v.asks
	if v.queue.Waiting() == 0 {
		*a = asks{}
		return
	}
	before := a.last
	*a = asks{last: make(map[uint16]time.Time)}
	var numbers []uint16
	for _, n := range v.queue.Missing(maxResend) {
		asked, known := before[n]
		if !known {
			v.stats.Resend++
		}
		if !known || now.Sub(asked) >= resendEvery {
			numbers, asked = append(numbers, n), now
		}
		a.last[n] = asked
		if again := asked.Add(resendEvery); a.due.IsZero() || again.Before(a.due) {
			a.due = again
		}
	}
	if numbers != nil {
		v.config.Resend(numbers)
	}
}
