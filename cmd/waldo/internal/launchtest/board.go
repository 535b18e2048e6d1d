package launchtest

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/actuator"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// neutral is the message that means standing still to a board that moves.
const neutral = "[0]"

type serialConfig struct {
	Actuator bool            `yaml:"actuator"`
	Control  actuator.Config `yaml:"control"`
}

// board echoes what is written to it, and sends [0] when it has to stand still.
type board struct {
	serialv1.UnimplementedSerialServiceServer
	kit      *device.Kit
	actuator *actuator.Actuator // nil if it moves nothing
	said     chan string
	rx       *device.Out[*serialv1.SerialMessage]
}

func newBoard(kit *device.Kit, c serialConfig) (device.Driver, error) {
	b := &board{kit: kit, said: make(chan string, 1000), rx: device.NewOut[*serialv1.SerialMessage](kit, "rx",
		device.OutOptions{})}
	device.NewIn[*serialv1.SerialMessage](kit, "deaf", stream.Latest()) // an input stream, which cannot be watched
	serialv1.RegisterSerialServiceServer(kit, b)
	if !c.Actuator {
		return b, nil
	}
	var err error
	b.actuator, err = actuator.New(kit, c.Control, b, neutral)
	return b, err
}

// Safe implements actuator.Hardware.
func (b *board) Safe(control.Cause) { b.say(neutral) }

func (b *board) say(text string) {
	select {
	case b.said <- text:
	default: // nobody listens
	}
}

// Run publishes what was written, and an empty message several times a second, so that there is always
// something to watch.
func (b *board) Run(ctx context.Context, ready func()) error {
	if b.actuator != nil {
		b.actuator.Attach()
	}
	ready()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for sequence := int64(0); ; sequence++ {
		text := "null"
		select {
		case <-ctx.Done():
			return nil
		case text = <-b.said:
		case <-tick.C:
		}
		b.rx.Publish(&serialv1.SerialMessage{Epoch: b.kit.Epoch(), Sequence: sequence, ReadTime: timestamppb.Now(),
			Json: text})
	}
}

// GetPort tells whether the board moves.
func (b *board) GetPort(context.Context, *serialv1.GetPortRequest) (*serialv1.GetPortResponse, error) {
	return &serialv1.GetPortResponse{Port: &serialv1.Port{Actuator: b.actuator != nil}}, nil
}

// WriteMessage echoes the message.
func (b *board) WriteMessage(
	ctx context.Context, r *serialv1.WriteMessageRequest,
) (*serialv1.WriteMessageResponse, error) {
	if b.actuator == nil {
		b.say(r.GetJson())
		return &serialv1.WriteMessageResponse{}, nil
	}
	report, err := b.actuator.Submit(ctx, r.GetControl(),
		actuator.Rigid(r.GetJson() == neutral, func(time.Time) { b.say(r.GetJson()) }))
	return &serialv1.WriteMessageResponse{Report: report}, err
}
