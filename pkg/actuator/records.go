package actuator

import (
	"context"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// Commands is the stream of what became of each command.
	Commands = "commands"
	// recordsWaiting is how many records may wait for the bus: 2.5 s of 100 commands a second.
	recordsWaiting = 256
	// maxJSON bounds the JSON of a command in bytes.
	maxJSON = 64 << 10
)

// Described is a [Command] that can say what it is, for those who look back.
type Described interface {
	// JSON returns the command in the form of the message that means standing still. It is called by another goroutine,
	// after the command was judged.
	JSON() string
}

// judgement is what became of a command.
type judgement struct {
	by      actor
	header  *controlv1.CommandHeader // not changed any more
	command Command                  // nil: it could not be read
	report  *controlv1.CommandReport // not changed any more
	rigid   bool
	silent  bool // nothing was heard of the camera
	factor  float64
	problem string // of a command that could not be judged

	// The rest is known as soon as it is noted.
	holder   string
	lease    int64 // number of the lease, if its sender holds it
	sequence int64
	at       time.Time
}

// keepRecord hands a judgement to whoever makes records of them. It does not wait, and keeps it for nobody. It needs
// mu.
func (a *Actuator) keepRecord(j *judgement) {
	j.holder = a.arbiter.State().Holder
	if a.judged.Subscribers() == 0 {
		return
	}
	if a.arbiter.Holds(j.header.GetLeaseEpoch()) {
		j.lease = a.leases
	}
	j.at, j.sequence = time.Now(), a.recorded
	a.recorded++
	a.judged.Publish(j)
}

// noteMalformed notes a command that was not judged because of err.
func (a *Actuator) noteMalformed(ctx context.Context, h *controlv1.CommandHeader, c Command, err error) {
	if h == nil || a.judged.Subscribers() == 0 {
		return
	}
	j := &judgement{by: callerOf(ctx), header: h, command: c, problem: status.Convert(err).Message()}
	a.do(func(now control.Clock) {
		j.report = &controlv1.CommandReport{Sequence: h.GetSequence(), Clock: durationpb.New(now)}
		a.keepRecord(j)
	})
}

// publishRecords sends a record of each command that is judged until ctx ends. If send is too slow, the oldest that
// wait are left out.
func (a *Actuator) publishRecords(ctx context.Context, send func(*controlv1.CommandRecord)) error {
	judged := a.judged.Subscribe(stream.DropOldest(recordsWaiting))
	defer judged.Close()
	for j, err := range judged.All(ctx) {
		if err != nil {
			break // ctx has ended
		}
		send(j.record(a.kit.Epoch()))
	}
	return nil
}

// record is the judgement as a message of the API. It has no lease's epoch, by which its readers could command.
func (j *judgement) record(epoch int64) *controlv1.CommandRecord {
	return &controlv1.CommandRecord{
		Epoch: epoch, Sequence: j.sequence, JudgeTime: timestamppb.New(j.at), Report: j.report, Lease: j.lease,
		Holder: j.holder, Caller: j.by.name, CallerToken: j.by.token, CallerAddress: j.by.from,
		Heard: j.header.GetHeard(), Life: j.header.GetLife(), Seen: j.header.GetSeen(), MessageJson: j.json(),
		Factor: j.factor, Error: j.why(),
	}
}

func (j *judgement) json() string {
	d, ok := j.command.(Described)
	if !ok {
		return ""
	}
	text := strings.ToValidUTF8(d.JSON(), "�")
	if len(text) > maxJSON {
		return ""
	}
	return text
}

// why says why a command is refused; empty if it is not.
func (j *judgement) why() string {
	verdict := j.report.GetVerdict()
	why := refusals[verdict].text
	switch verdict {
	case controlv1.CommandVerdict_COMMAND_VERDICT_UNSPECIFIED:
		return j.problem
	case controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED:
		return ""
	case controlv1.CommandVerdict_COMMAND_VERDICT_BLIND:
		why = blind(j.report.GetSight(), j.rigid, j.silent)
	case controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE:
		if j.holder != "" {
			why += " (" + j.holder + " has it)"
		}
	}
	return "the command is refused: " + why
}

// err returns a judgement as its sender gets it; nil if the command was accepted.
func (j *judgement) err() error {
	verdict := j.report.GetVerdict()
	if verdict == controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED {
		return nil
	}
	code, text := refusals[verdict].code, j.why()
	st, err := status.New(code, text).WithDetails(
		&errdetails.ErrorInfo{Reason: strings.TrimPrefix(verdict.String(), verdictPrefix), Domain: "waldo.control"}, j.report)
	if err != nil {
		return status.Error(code, text) // without details it still is what it is
	}
	return st.Err()
}
