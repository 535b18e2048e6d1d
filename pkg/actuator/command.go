package actuator

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/control"
)

// badRequest names the field that makes no sense, and what would.
type badRequest struct{ problem string }

func (b *badRequest) Error() string { return b.problem }

func badField(field, format string, args ...any) error {
	return &badRequest{field + ": " + fmt.Sprintf(format, args...)}
}

// readHeader checks the header of a command. Without one it is a command without a lease.
func readHeader(h *controlv1.CommandHeader) (control.Command, error) {
	c := control.Command{
		Lease: h.GetLeaseEpoch(), Sequence: h.GetSequence(), Heard: h.GetHeard().AsDuration(), Life: h.GetLife().AsDuration(),
	}
	var err error
	switch {
	case h == nil || c.Lease == 0: // the verdict says it
	case c.Sequence <= 0:
		err = badField("control.sequence", "is %d: count up from 1", c.Sequence)
	case h.GetHeard() == nil || !h.GetHeard().IsValid() || c.Heard < 0:
		err = badField("control.heard", "is missing or not a clock: repeat the newest clock that came with a lease, a "+
			"report or a state")
	case c.Life != 0 && (c.Life < control.MinLife || c.Life > control.MaxLife):
		err = badField("control.life", "%v is out of range: use %v to %v, or leave it out for %v", c.Life, control.MinLife,
			control.MaxLife, control.DefaultLife)
	case h.GetSeen() != nil && !h.GetSeen().IsValid():
		err = badField("control.seen", "is not a valid time: repeat the capture time of the newest picture that was shown, "+
			"or leave it out if there was none")
	}
	if err != nil {
		return c, failure(err)
	}
	return c, nil
}

func newReport(c control.Command, verdict controlv1.CommandVerdict, now control.Clock) *controlv1.CommandReport {
	report := &controlv1.CommandReport{Sequence: c.Sequence, Verdict: verdict, Clock: durationpb.New(now)}
	if c.Heard <= now && c.Lease != 0 {
		report.Age = durationpb.New(now - c.Heard)
	}
	return report
}

// verdicts are those of the arbiter in words of the API.
var verdicts = map[control.Verdict]controlv1.CommandVerdict{
	control.Accepted:     controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED,
	control.NoLease:      controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE,
	control.OutOfOrder:   controlv1.CommandVerdict_COMMAND_VERDICT_OUT_OF_ORDER,
	control.Expired:      controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED,
	control.UnknownClock: controlv1.CommandVerdict_COMMAND_VERDICT_UNKNOWN_CLOCK,
	control.BeforeStop:   controlv1.CommandVerdict_COMMAND_VERDICT_BEFORE_STOP,
	control.EStopped:     controlv1.CommandVerdict_COMMAND_VERDICT_E_STOPPED,
	control.NotNeutral:   controlv1.CommandVerdict_COMMAND_VERDICT_NOT_NEUTRAL,
	control.Blind:        controlv1.CommandVerdict_COMMAND_VERDICT_BLIND,
}

const verdictPrefix = "COMMAND_VERDICT_"

// verdictName names a verdict, as metrics do.
func verdictName(v controlv1.CommandVerdict) string {
	return strings.ToLower(strings.TrimPrefix(v.String(), verdictPrefix))
}

// refusals say what is wrong with a refused command, and what to do about it.
var refusals = map[controlv1.CommandVerdict]struct {
	code codes.Code
	text string
}{
	controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE: {codes.FailedPrecondition,
		"its sender has no lease on this device, or has lost it: acquire it"},
	controlv1.CommandVerdict_COMMAND_VERDICT_OUT_OF_ORDER: {codes.Aborted,
		"a command with the same or a greater sequence came before"},
	controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED: {codes.Aborted,
		"it came too late: repeat the newest clock received, and give the command a longer life on a slow path"},
	controlv1.CommandVerdict_COMMAND_VERDICT_UNKNOWN_CLOCK: {codes.Aborted,
		"the clock it names was never told: name one that this life of the device has told"},
	controlv1.CommandVerdict_COMMAND_VERDICT_BEFORE_STOP: {codes.Aborted,
		"the hardware was stopped after its sender last received its clock: continue with the clock of this report"},
	controlv1.CommandVerdict_COMMAND_VERDICT_E_STOPPED: {codes.FailedPrecondition,
		"an e-stop is latched: clear it first"},
	controlv1.CommandVerdict_COMMAND_VERDICT_NOT_NEUTRAL: {codes.FailedPrecondition,
		"the first command has to be neutral: send the safe message first"},
	controlv1.CommandVerdict_COMMAND_VERDICT_AWAY:  {codes.Unavailable, "the hardware is away or not ready"},
	controlv1.CommandVerdict_COMMAND_VERDICT_BLIND: {codes.FailedPrecondition, "its sender is blind"}, // see blind
}

// blind says why a command of a blind sender is refused, and what to do about it. Silent: nothing is heard from the
// camera.
func blind(s *controlv1.Sight, rigid, silent bool) string {
	camera, age := s.GetCamera(), s.GetAge().AsDuration().Round(time.Millisecond)
	switch {
	case silent:
		return fmt.Sprintf("nothing was heard from camera %q for a second: is it, or the bus, down? The camera announces its "+
			"pictures over the bus, and without that nobody knows how old the picture is that its sender saw", camera)
	case s.GetAge() == nil:
		return fmt.Sprintf("its sender has seen no picture of %q that is known here: show that camera to the driver, and "+
			"send the capture time of its newest picture as seen", camera)
	case rigid && age < s.GetStop().AsDuration():
		return fmt.Sprintf("the picture of %q that its sender saw is %v old, which allows slower commands only, and this one "+
			"has no numbers that could be reduced: wait for a newer picture", camera, age)
	default:
		return fmt.Sprintf("the picture of %q that its sender saw is %v old, and the hardware stands still from %v on: wait "+
			"for a newer picture, and send its capture time as seen", camera, age, s.GetStop().AsDuration())
	}
}
