package actuator

import "time"

// Rigid returns a command that cannot be slowed. It counts as full speed unless it is neutral. carryOut is called at
// once if the command is accepted.
func Rigid(neutral bool, carryOut func(expiry time.Time)) Command { return rigid{neutral, carryOut} }

type rigid struct {
	neutral  bool
	carryOut func(expiry time.Time)
}

func (r rigid) Neutral() bool                        { return r.neutral }
func (r rigid) Speed() (float64, bool)               { return 1, false }
func (r rigid) CarryOut(_ float64, expiry time.Time) { r.carryOut(expiry) }
