package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/text"
)

type recordCommand struct {
	Start  recordStart  `cmd:"" help:"Begin a recording."`
	Stop   recordStop   `cmd:"" help:"End the recording."`
	Mark   recordMark   `cmd:"" help:"Mark the present moment of the recording, to find it again."`
	Status recordStatus `cmd:"" help:"Tell what the recorder does."`
}

// Help explains the command.
func (*recordCommand) Help() string {
	return `The robot needs a recorder: in robot.yaml, for example recorder: {kind: recorder}. A recording goes on when the
recorder restarts, until it is stopped. waldo recordings lists what was recorded. For example:

  waldo record start
  waldo record mark "hit the curb"
  waldo record stop`
}

// recorderFlags name a recorder.
type recorderFlags struct {
	remote `embed:""`
	Device string `placeholder:"NAME" help:"The recorder, if the robots on the bus have several."`
}

// recorder calls f with the recorder that is meant.
func (r *recorderFlags) recorder(ctx context.Context,
	f func(context.Context, bus.Address, recorderv1.RecorderServiceClient) error) error {
	return r.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
		a, err := r.meant(ctx, conn)
		if err != nil {
			return err
		}
		return plainError(a, f(ctx, a, recorderv1.NewRecorderServiceClient(conn.Client(a))))
	})
}

// meant finds the recorder.
func (r *recorderFlags) meant(ctx context.Context, conn *bus.Conn) (bus.Address, error) {
	if r.Device != "" {
		return r.find(ctx, conn, r.Device)
	}
	devices, err := r.answering(ctx, conn)
	if err != nil {
		return bus.Address{}, err
	}
	var found []bus.Address
	var names []string
	recorded := "" // what is replayed
	for _, d := range devices {
		recorded = cmp.Or(recorded, d.GetAttributes()[device.ReplayAttribute])
		if d.GetKind() == recorderKind {
			a := bus.Address{Robot: d.GetRobot(), Device: d.GetName()}
			found, names = append(found, a), append(names, a.String())
		}
	}
	switch len(found) {
	case 0:
		if recorded != "" {
			return bus.Address{}, fmt.Errorf("this robot is a replay of %s, and has no recorder: what it shows is recorded "+
				"already", recorded)
		}
		return bus.Address{}, errors.New("no recorder answers on the bus: if waldo ls lists one, see why it is missing; " +
			"otherwise add `recorder: {kind: recorder}` to robot.yaml and run waldo reload")
	case 1:
		return found[0], nil
	}
	return bus.Address{}, fmt.Errorf("there are several recorders: choose one with --device (%s)",
		strings.Join(names, ", "))
}

type recordStart struct {
	recorderFlags `embed:""`
}

// Run begins a recording.
func (r *recordStart) Run(ctx context.Context, c console) error {
	c = c.plain()
	return r.recorder(ctx, func(ctx context.Context, a bus.Address, client recorderv1.RecorderServiceClient) error {
		q, err := client.StartRecording(ctx, &recorderv1.StartRecordingRequest{By: by("waldo record")})
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(c.err, "%s records to %s\n", a, q.GetState().GetRecording().GetName())
		return nil
	})
}

type recordStop struct {
	recorderFlags `embed:""`
}

// Run ends the recording. What was recorded goes to the output, for scripts.
func (r *recordStop) Run(ctx context.Context, c console) error {
	c = c.plain()
	return r.recorder(ctx, func(ctx context.Context, a bus.Address, client recorderv1.RecorderServiceClient) error {
		q, err := client.StopRecording(ctx, &recorderv1.StopRecordingRequest{})
		if err != nil {
			return err
		}
		one := q.GetRecording()
		if one == nil {
			_, _ = fmt.Fprintf(c.err, "%s was not recording\n", a)
			return nil
		}
		_, _ = fmt.Fprintf(c.err, "%s has recorded %s, %s\n", a, seconds(one.GetDuration()), sizeText(one.GetSizeBytes()))
		for _, file := range one.GetFiles() {
			_, _ = fmt.Fprintln(c.out, file)
		}
		return nil
	})
}

type recordMark struct {
	recorderFlags `embed:""`
	Text          string `arg:"" help:"What happened."`
}

// Run marks the present moment.
func (r *recordMark) Run(ctx context.Context, c console) error {
	c = c.plain()
	return r.recorder(ctx, func(ctx context.Context, a bus.Address, client recorderv1.RecorderServiceClient) error {
		q, err := client.AddMark(ctx,
			&recorderv1.AddMarkRequest{Text: strings.ToValidUTF8(r.Text, "�"), By: by("waldo record")})
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(c.err, "%s marked %s: %s\n", a, q.GetMark().GetTime().AsTime().Local().Format("15:04:05.000"),
			q.GetMark().GetText())
		return nil
	})
}

type recordStatus struct {
	recorderFlags `embed:""`
}

// Run tells what the recorder does.
func (r *recordStatus) Run(ctx context.Context, c console) error {
	c = c.plain()
	return r.recorder(ctx, func(ctx context.Context, a bus.Address, client recorderv1.RecorderServiceClient) error {
		q, err := client.GetRecorder(ctx, &recorderv1.GetRecorderRequest{})
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(c.out, recorderText(a, q.GetState()))
		return err
	})
}

// recorderText is a state for people.
func recorderText(a bus.Address, s *recorderv1.RecorderState) string {
	var b strings.Builder
	phase := strings.ToLower(strings.TrimPrefix(s.GetPhase().String(), "RECORDER_PHASE_"))
	fmt.Fprintf(&b, "%s: %s\n", a, phase)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-10s %s\n", name, text)
		}
	}
	line("problem", s.GetProblem())
	if one := s.GetRecording(); one != nil {
		line("recording", one.GetName())
		line("started by", s.GetStartedBy())
		line("so far", fmt.Sprintf("%s, %s, %s, %s", seconds(one.GetDuration()), sizeText(one.GetSizeBytes()),
			text.Count(one.GetMessageCount(), "message", "messages"), text.Count(len(one.GetMarks()), "mark", "marks")))
	}
	if s.GetPreroll() != nil {
		line("pre-roll", seconds(s.GetPreroll()))
	}
	if s.GetLostCount() > 0 {
		line("lost", text.Count(s.GetLostCount(), "message", "messages"))
	}
	line("free", sizeText(s.GetFreeBytes()))
	line("streams", strings.Join(s.GetStreams(), " "))
	return b.String()
}

// seconds is a time for people, to a tenth of a second.
func seconds(d *durationpb.Duration) string { return d.AsDuration().Round(time.Second / 10).String() }
