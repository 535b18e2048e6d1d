package control

// State is how things stand.
type State struct {
	Phase  Phase
	Cause  Cause  // why the hardware was last made to stand still
	Holder string // who has the lease; empty if nobody has
}

// State tells how things stand, as of the last call that was given the time.
func (a *Arbiter) State() State {
	s := State{Phase: a.phase(), Cause: a.cause}
	if a.lease != nil {
		s.Holder = a.lease.holder
	}
	return s
}

func (a *Arbiter) phase() Phase {
	switch {
	case a.eStop != 0:
		return PhaseEStopped
	case a.driving:
		return PhaseDriving
	case a.lease != nil:
		return PhaseSafe
	default:
		return PhaseFree
	}
}

// Phase is what an actuator does.
type Phase int

// Phases.
const (
	PhaseFree     Phase = iota // nobody has the lease; the hardware stands still
	PhaseSafe                  // somebody has it and sends nothing that counts; the hardware stands still
	PhaseDriving               // commands are carried out
	PhaseEStopped              // an e-stop is latched; the hardware stands still, whoever has the lease
)

// Cause is why hardware was made to stand still.
type Cause int

// Causes.
const (
	CauseStart    Cause = iota // it has just started
	CauseDeadman               // no command was accepted for the deadman time
	CauseLapsed                // the holder of the lease gave no sign of life
	CauseReleased              // the holder gave the lease back
	CauseTaken                 // another took the lease
	CauseEStop                 // an e-stop
	CauseAway                  // the hardware was away
)

// String names the cause, as metrics do.
func (c Cause) String() string {
	return [...]string{"start", "deadman", "lease_lapsed", "lease_released", "lease_taken", "e_stop", "away"}[c]
}

// Verdict is what becomes of a command.
type Verdict int

// Verdicts.
const (
	Accepted     Verdict = iota // carry it out
	NoLease                     // its sender has no lease, or not any more
	OutOfOrder                  // one with the same or a greater sequence came before
	Expired                     // it came too late
	UnknownClock                // the clock it names was never told
	BeforeStop                  // its sender had not heard of the last stop
	EStopped                    // an e-stop is latched
	NotNeutral                  // a neutral one has to come first
)

// String names the verdict, as metrics do.
func (v Verdict) String() string {
	return [...]string{
		"accepted", "no_lease", "out_of_order", "expired", "unknown_clock", "before_stop", "e_stopped", "not_neutral",
	}[v]
}
