package tracks

import (
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/playout"
)

// delayEvery is how often the playout delay is decided at most.
const delayEvery = 100 * time.Millisecond

// delays decides and tells the playout delay of a viewer, see package playout. It is safe for concurrent use.
type delays struct {
	path    Path
	fixed   *playout.Delay // nil: it is decided
	driving func() bool

	mu      sync.Mutex
	control playout.Control
	notice  playout.Notice
	delay   playout.Delay
	decided time.Time
}

// told is what a picture says about the playout delay.
type told struct {
	says  bool
	delay [3]byte // the content of the header extension
}

// next returns what the next picture says: something until the player is known to have it, or if it has to. The
// counters are those of the history.
func (d *delays) next(must bool, sent, repaired uint64, now time.Time) told {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.decided) >= delayEvery {
		d.decided = now
		d.delay = d.control.Update(playout.State{
			Sent: sent, Repaired: repaired, RoundTrip: d.path.RoundTrip(), Driving: d.driving(),
		}, now)
		if d.fixed != nil {
			d.delay = *d.fixed
		}
	}
	d.notice.Ask(d.path.Became)
	return told{d.notice.Tell(d.delay, must), d.delay.Extension()}
}

// note takes the numbers of a packet that says something.
func (d *delays) note(seq, number uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notice.Told(seq, number)
}

// report takes the reports of the peer about a stream.
func (d *delays) report(ssrc uint32, blocks []rtcp.ReceptionReport) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range blocks {
		if b.SSRC == ssrc {
			d.notice.Report(uint16(b.LastSequenceNumber), b.FractionLost == 0)
		}
	}
}

// follow continues what another one of the same viewer has decided. What it has told is told again.
func (d *delays) follow(old *delays) {
	old.mu.Lock()
	control := old.control
	old.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.control = control
}

// now returns the present delay, and the share of packets that were repaired in the last 5 s.
func (d *delays) now() (playout.Delay, float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.delay, d.control.Repaired()
}
