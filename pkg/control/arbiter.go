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
	// Sight limits the speed by what drivers see.
	Sight Sight
}

// Command is what the arbiter has to know about a command.
type Command struct {
	Lease    int64         // epoch of the sender's lease
	Sequence int64         // rises with each command under a lease
	Heard    Clock         // newest clock that the sender has received from the actuator
	Life     time.Duration // how long after Heard it stays valid; zero means DefaultLife
	Neutral  bool          // it means standing still
	Seen     Seen          // what its sender had seen
	Speed    float64       // share of full speed, 0 to 1; what is more, or no number, counts as it would do most harm
	Rigid    bool          // it cannot be slowed, and counts as full speed
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
	moves   bool   // it is not neutral
	seen    Seen   // what its sender had seen
	way     way    // what was commanded so far
	fence   Clock  // when the hardware was last stopped: a sender that has not heard from the actuator since cannot know
	cause   Cause  // why it was stopped
}

// lease is the right to command.
type lease struct {
	epoch    int64
	holder   string
	sequence int64 // of the last accepted command
	alive    Clock // last sign of life
	seen     Seen  // what the sender of the last command had seen
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
		a.free(now, CauseTaken)
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
	if !a.Holds(epoch) {
		return ErrNoLease
	}
	a.lease.alive = now
	return nil
}

// Release takes the lease back from its holder, and does nothing for anybody else.
func (a *Arbiter) Release(now Clock, epoch int64) {
	a.Advance(now)
	if a.Holds(epoch) {
		a.free(now, CauseReleased)
	}
}

// EStop latches an e-stop, and returns its id. It replaces one that is latched already: a client that clears
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

// Begin reports that the hardware is there for the first time: as after [Arbiter.Interrupt] a neutral command has to
// come first, but it is stopped for no other reason than before.
func (a *Arbiter) Begin(now Clock) {
	a.Advance(now)
	a.disarm(now, a.cause)
}

// Interrupt reports that the hardware was away, or is not as it was left: the lease stays, but a neutral
// command has to come first.
func (a *Arbiter) Interrupt(now Clock) {
	a.Advance(now)
	a.disarm(now, CauseAway)
}

// Judge judges a command. If the verdict is [Accepted] the caller carries the command out at once, slowed by the
// factor, or at least before it expires and only if the hardware has not been stopped meanwhile. The factor is 1 for a
// command that is carried out as it is, and 0 for one that is refused. If the verdict is [Blind] the hardware has been
// stopped.
func (a *Arbiter) Judge(now Clock, c Command) (verdict Verdict, factor float64) {
	a.Advance(now)
	if verdict = a.check(now, c); verdict != Accepted {
		return verdict, 0
	}
	factor, speed, ok := a.slow(now, c)
	if !ok {
		if a.driving {
			a.safe(now, CauseBlind)
		}
		return Blind, 0
	}
	a.armed, a.driving, a.moved, a.moves, a.seen = true, true, now, !c.Neutral, c.Seen
	if a.config.Sight.Reaction > 0 {
		a.way.change(now, speed, 0)
	}
	return Accepted, factor
}

// check applies all rules but those about sight.
func (a *Arbiter) check(now Clock, c Command) Verdict {
	switch {
	case !a.Holds(c.Lease):
		return NoLease
	case c.Sequence <= a.lease.sequence:
		return OutOfOrder
	case c.Heard > now:
		return UnknownClock
	case now > c.Expiry():
		return Expired
	}
	a.lease.sequence, a.lease.alive, a.lease.seen = c.Sequence, now, c.Seen
	switch {
	case a.eStop != 0:
		return EStopped
	case c.Heard < a.fence:
		return BeforeStop
	case !a.armed && !c.Neutral:
		return NotNeutral
	}
	return Accepted
}

// Advance lets time pass: the picture behind the command in force gets too old, the deadman fires, the lease expires.
// All other methods start with it.
func (a *Arbiter) Advance(now Clock) {
	if end, why := a.end(); a.driving && now >= end {
		a.safe(now, why)
	}
	if a.lease != nil && now >= a.lease.alive+LeaseTTL {
		a.free(now, CauseLapsed)
	}
}

// Next is when Advance next has something to do; false if nothing is due.
func (a *Arbiter) Next() (Clock, bool) {
	if a.lease == nil {
		return 0, false
	}
	next := a.lease.alive + LeaseTTL
	if a.driving {
		end, _ := a.end()
		next = min(next, end)
	}
	return next, true
}

// end is when the command in force ends if no other comes, and why.
func (a *Arbiter) end() (Clock, Cause) {
	deadman := a.moved + a.config.Deadman
	if blind := a.seen.At + a.config.Sight.Stop; a.config.Sight.watched() && a.moves && blind < deadman {
		return blind, CauseBlind
	}
	return deadman, CauseDeadman
}

// Holds tells whether a lease was the one in force when the time was last given.
func (a *Arbiter) Holds(epoch int64) bool { return a.lease != nil && a.lease.epoch == epoch }

// free ends the lease.
func (a *Arbiter) free(now Clock, why Cause) {
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
	if a.driving {
		a.way.stop(now, a.config.Sight.Coast)
	}
	a.driving, a.fence, a.cause = false, now, why
	a.config.Safe(why)
}
