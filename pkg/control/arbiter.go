package control

import (
	"errors"
	"fmt"
	"time"
)

// Limits and defaults.
const (
	// LeaseTTL is how long a lease lasts after its holder's last sign of life.
	LeaseTTL = time.Second
	// DefaultDeadman is how long the hardware may run without an accepted command before it is stopped.
	DefaultDeadman = 200 * time.Millisecond
	// MinLife, DefaultLife and MaxLife are the limits and the default of a command's life.
	MinLife     = 50 * time.Millisecond
	DefaultLife = 200 * time.Millisecond
	MaxLife     = time.Second
)

var (
	// ErrHeld means that somebody else holds the lease.
	ErrHeld = errors.New("somebody else holds the lease")
	// ErrNoLease means that the caller does not hold the lease.
	ErrNoLease = errors.New("the caller does not hold the lease, or no longer does")
	// ErrOtherEStop means that the caller wants to clear an e-stop other than the latched one.
	ErrOtherEStop = errors.New("a different e-stop is latched than the one to be cleared")
)

// Clock is a time on the actuator's own monotonic clock: the time since its process started.
type Clock = time.Duration

// Config adjusts an arbiter. NewID and Safe are required.
type Config struct {
	// Deadman replaces DefaultDeadman unless it is zero.
	Deadman time.Duration
	// NewID returns the id of a new lease or e-stop: positive, never the same twice, and impossible to guess.
	NewID func() int64
	// Safe is called, from within the call that causes it, whenever the hardware must stand still from
	// now on. Stopping it again does no harm. Safe must not call the arbiter.
	Safe func(Cause)
	// EStop is an e-stop that is latched from the start; 0 for none.
	EStop int64
}

// Command is what the arbiter has to know about a command.
type Command struct {
	Lease    int64         // epoch of the sender's lease
	Sequence int64         // rises with each command under a lease
	Heard    Clock         // newest clock that the sender has received from the actuator
	Life     time.Duration // how long after Heard it stays valid; zero means DefaultLife
	Neutral  bool          // it means standing still
}

// Expiry is when the command expires.
func (c Command) Expiry() Clock {
	if c.Life == 0 {
		return c.Heard + DefaultLife
	}
	return c.Heard + min(c.Life, MaxLife)
}

// Arbiter is described in the package comment.
type Arbiter struct {
	config Config

	lease   *lease // nil while nobody holds it
	eStop   int64  // the latched e-stop; 0 for none
	armed   bool   // a neutral command was accepted since one was last required
	driving bool   // the last accepted command is in force
	moved   Clock  // when it was accepted
	fence   Clock  // when the hardware was last stopped: a sender that has not heard from the actuator since cannot know
	cause   Cause  // why it was stopped
}

// lease is the right to command.
type lease struct {
	epoch    int64
	holder   string
	sequence int64 // of the last accepted command
	alive    Clock // last sign of life
}

// New returns an arbiter that nobody commands. Its time begins at 0.
func New(config Config) *Arbiter {
	if config.Deadman == 0 {
		config.Deadman = DefaultDeadman
	}
	return &Arbiter{config: config, eStop: config.EStop, cause: CauseStart}
}

// Acquire gives the lease to a holder, named for people to read. It fails with [ErrHeld] while somebody
// else holds it.
func (a *Arbiter) Acquire(now Clock, holder string) (epoch int64, err error) {
	a.Advance(now)
	if a.lease != nil {
		return 0, fmt.Errorf("%w: %s", ErrHeld, a.lease.holder)
	}
	return a.grant(now, holder), nil
}

// Take gives the lease to a holder even if somebody else holds it.
func (a *Arbiter) Take(now Clock, holder string) (epoch int64) {
	a.Advance(now)
	if a.lease != nil {
		a.end(now, CauseTaken)
	}
	return a.grant(now, holder)
}

func (a *Arbiter) grant(now Clock, holder string) int64 {
	a.lease = &lease{epoch: a.config.NewID(), holder: holder, alive: now}
	a.armed = false
	return a.lease.epoch
}

// KeepAlive records a sign of life of the holder. It fails with [ErrNoLease] if the caller does not hold
// the lease.
func (a *Arbiter) KeepAlive(now Clock, epoch int64) error {
	a.Advance(now)
	if !a.holds(epoch) {
		return ErrNoLease
	}
	a.lease.alive = now
	return nil
}

// Release takes the lease back from its holder, and does nothing for anybody else.
func (a *Arbiter) Release(now Clock, epoch int64) {
	a.Advance(now)
	if a.holds(epoch) {
		a.end(now, CauseReleased)
	}
}

// EStop latches an e-stop, and returns its id. It replaces one that is latched already: whoever clears
// an e-stop must have seen the latest.
func (a *Arbiter) EStop(now Clock) (id int64) {
	a.Advance(now)
	a.eStop = a.config.NewID()
	a.disarm(now, CauseEStop)
	return a.eStop
}

// ClearEStop ends an e-stop. No command sent before that counts afterwards. It fails with
// [ErrOtherEStop] if a different one is latched, so a late or repeated request cannot clear the next
// e-stop.
func (a *Arbiter) ClearEStop(now Clock, id int64) error {
	a.Advance(now)
	if id == 0 || id != a.eStop {
		return ErrOtherEStop
	}
	a.eStop = 0
	a.disarm(now, CauseEStop)
	return nil
}

// Interrupt reports that the hardware was away, or is not as it was left: the lease stays, but a neutral
// command has to come first.
func (a *Arbiter) Interrupt(now Clock) {
	a.Advance(now)
	a.disarm(now, CauseAway)
}

// Judge judges a command. If the verdict is [Accepted] the caller carries the command out at once, or at
// least before it expires and only if the hardware has not been stopped meanwhile.
func (a *Arbiter) Judge(now Clock, c Command) Verdict {
	a.Advance(now)
	switch {
	case !a.holds(c.Lease):
		return NoLease
	case c.Sequence <= a.lease.sequence:
		return OutOfOrder
	case c.Heard > now:
		return UnknownClock
	case now > c.Expiry():
		return Expired
	}
	a.lease.sequence, a.lease.alive = c.Sequence, now
	switch {
	case a.eStop != 0:
		return EStopped
	case c.Heard < a.fence:
		return BeforeStop
	case !a.armed && !c.Neutral:
		return NotNeutral
	}
	a.armed, a.driving, a.moved = true, true, now
	return Accepted
}

// Advance lets time pass: the deadman fires, the lease expires. All other methods start with it.
func (a *Arbiter) Advance(now Clock) {
	if a.driving && now >= a.moved+a.config.Deadman {
		a.safe(now, CauseDeadman)
	}
	if a.lease != nil && now >= a.lease.alive+LeaseTTL {
		a.end(now, CauseLapsed)
	}
}

// Next is when Advance next has something to do; false if nothing is due.
func (a *Arbiter) Next() (Clock, bool) {
	switch {
	case a.lease == nil:
		return 0, false
	case a.driving:
		return min(a.moved+a.config.Deadman, a.lease.alive+LeaseTTL), true
	default:
		return a.lease.alive + LeaseTTL, true
	}
}

// holds tells whether a lease is the one in force.
func (a *Arbiter) holds(epoch int64) bool { return a.lease != nil && a.lease.epoch == epoch }

// end ends the lease.
func (a *Arbiter) end(now Clock, why Cause) {
	a.lease = nil
	a.safe(now, why)
}

// disarm stops the hardware until a neutral command comes.
func (a *Arbiter) disarm(now Clock, why Cause) {
	a.armed = false
	a.safe(now, why)
}

// safe stops the hardware.
func (a *Arbiter) safe(now Clock, why Cause) {
	a.driving, a.fence, a.cause = false, now, why
	a.config.Safe(why)
}
