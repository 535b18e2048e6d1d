package actuator

import (
	"context"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/control"
)

// Command is a command as its kind of device understands it. It may be a [Described] one as well.
type Command interface {
	// Neutral reports whether it means standing still.
	Neutral() bool
	// Speed is how fast it moves, as a share of full speed: 1 if that is not known. It is false for a command that cannot
	// be slowed.
	Speed() (share float64, ok bool)
	// CarryOut has it carried out. All its speeds are multiplied by the factor: 1 leaves it as it is, 0 means standing
	// still. A command that cannot be slowed gets only 1. What CarryOut hands on must reach the hardware before the
	// expiry, or not at all. CarryOut must not wait, and must not call the Actuator.
	CarryOut(factor float64, expiry time.Time)
}

// Submit judges a command and, if it is accepted, has it carried out at once. The report states what became of the
// command; a command that is refused is an error as well, a gRPC status as CommandVerdict describes it. A header that
// makes no sense is an InvalidArgument. The context tells who sent it.
func (a *Actuator) Submit(ctx context.Context, h *controlv1.CommandHeader,
	c Command) (*controlv1.CommandReport, error) {
	command, err := readHeader(h)
	if err != nil {
		a.noteMalformed(ctx, h, c, err)
		return nil, err
	}
	command.Neutral = c.Neutral()
	speed, slowable := c.Speed()
	command.Speed, command.Rigid = speed, !slowable
	j := &judgement{by: callerOf(ctx), header: h, command: c, rigid: command.Rigid}
	a.do(func(now control.Clock) {
		command.Seen = a.watcher.find(now, h.GetSeen())
		verdict, factor := a.judge(now, command)
		if verdict == controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED {
			c.CarryOut(factor, time.Now().Add(command.Expiry()-now))
		}
		j.report, j.factor = newReport(command, verdict, now), factor
		j.report.Sight, j.silent = a.watcher.describe(a.arbiter, now), a.watcher.silent(now)
		a.metrics.judged(j.report, command)
		a.keepRecord(j)
	})
	return j.report, j.err()
}

// Malformed notes that a command was refused before it could be judged, with err. Without a header it is nobody's.
func (a *Actuator) Malformed(ctx context.Context, h *controlv1.CommandHeader, err error) {
	a.noteMalformed(ctx, h, nil, err)
}

// judge decides what becomes of a command. It needs mu.
func (a *Actuator) judge(now control.Clock, c control.Command) (controlv1.CommandVerdict, float64) {
	if a.attached {
		verdict, factor := a.arbiter.Judge(now, c)
		return verdicts[verdict], factor
	}
	if a.arbiter.KeepAlive(now, c.Lease) != nil {
		return controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE, 0
	}
	return controlv1.CommandVerdict_COMMAND_VERDICT_AWAY, 0
}

// callerOf returns who makes a call.
func callerOf(ctx context.Context) actor {
	return actor{access.User(ctx), access.TokenID(ctx), access.From(ctx)}
}
