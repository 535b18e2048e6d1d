package control

// State is the state of an arbiter.
type State struct {
	Phase  Phase
	Cause  Cause  // why the hardware was last stopped
	Holder string // holder of the lease; empty if there is none
}

// State returns the state as of the last call that was given the time.
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

// Phase is what an actuator is doing.
type Phase int

// Phases.
const (
	PhaseFree     Phase = iota // nobody holds the lease; the hardware stands still
	PhaseSafe                  // somebody holds it but sends no valid commands; the hardware stands still
	PhaseDriving               // commands are carried out
	PhaseEStopped              // an e-stop is latched; the hardware stands still, with or without a lease
)

// Cause is the reason why the hardware was stopped.
type Cause int

// Causes.
const (
	CauseStart    Cause = iota // it has just started
	CauseDeadman               // no command was accepted within the deadman time
	CauseLapsed                // the holder of the lease gave no sign of life
	CauseReleased              // the holder released the lease
	CauseTaken                 // somebody else took the lease
	CauseEStop                 // an e-stop
	CauseAway                  // the hardware was away
	CauseBlind                 // the driver saw no picture, or one that was too old
)

// String names the cause, as metrics do.
func (c Cause) String() string {
	return [...]string{"start", "deadman", "lease_lapsed", "lease_released", "lease_taken", "e_stop", "away",
		"blind"}[c]
}

// Verdict is the outcome of a command.
type Verdict int

// Verdicts.
const (
	Accepted     Verdict = iota // carry it out
	NoLease                     // its sender does not hold the lease, or no longer does
	OutOfOrder                  // one with the same or a greater sequence came before
	Expired                     // it arrived too late
	UnknownClock                // the clock it echoes was never sent
	BeforeStop                  // its sender cannot have known of the last stop
	EStopped                    // an e-stop is latched
	NotNeutral                  // a neutral one has to come first
	Blind                       // the picture that its sender had seen is too old, or there was none
)

// String names the verdict.
func (v Verdict) String() string {
	return [...]string{
		"accepted", "no_lease", "out_of_order", "expired", "unknown_clock", "before_stop", "e_stopped", "not_neutral",
		"blind",
	}[v]
}
