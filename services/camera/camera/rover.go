package camera

import (
	"context"
	"log/slog"
	"time"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/simworld"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/camera/sim"
)

// rx is the stream of messages that a serial device reads from its board.
const rx = "rx"

// bumperFlag is the bit of a board's flags that is set while the rover touches something.
const bumperFlag = 1 << 2

// rover receives the reports of a simulated rover's board from the bus. It implements [sim.Rover].
type rover struct {
	conn  *bus.Conn
	board bus.Address
	start simworld.Pose
	log   *slog.Logger
}

func newRover(kit *device.Kit, follow string) *rover {
	return &rover{
		conn:  kit.Bus(),
		board: bus.Address{Robot: kit.Address().Robot, Device: follow},
		start: simworld.New().Start(),
		log:   kit.Log,
	}
}

// Listen holds the board's stream while it runs. The board may come and go; each life of it starts over.
func (r *rover) Listen(ctx context.Context, heard func(sim.Report)) error {
	messages, err := bus.Subscribe[*serialv1.SerialMessage](r.conn, r.board.Out(rx), stream.Latest())
	if err != nil {
		return err
	}
	defer messages.Close()
	hold := r.conn.Hold(r.board, rx, "camera")
	defer hold.Close()
	complained := false
	for {
		m, err := messages.Next(ctx)
		if err != nil {
			return err
		}
		report, ok := r.report(m)
		if ok {
			heard(report)
		} else if !complained {
			complained = true
			r.log.Warn("the board does not report where the rover is: its readKeys must name x, y and heading", "device",
				r.board.String())
		}
	}
}

// report converts a message of the board. It returns false if the message does not contain the rover's position.
func (r *rover) report(m *serialv1.SerialMessage) (report sim.Report, ok bool) {
	values := map[string]int64{}
	for _, f := range m.GetRecord().GetFields() {
		if v, ok := whole(f.GetValue()); ok {
			values[f.GetKey()] = v
		}
	}
	for _, key := range []string{"x", "y", "heading"} {
		if _, ok := values[key]; !ok {
			return report, false
		}
	}
	at := simworld.Odometry{X: int32(values["x"]), Y: int32(values["y"]), Heading: int16(values["heading"])}
	return sim.Report{
		Pose: at.Pose(r.start), Left: simworld.Speed(int(values["left"])), Right: simworld.Speed(int(values["right"])),
		Bumped: values["flags"]&bumperFlag != 0, Time: time.Now(),
	}, true
}

// whole returns a value that is an integer.
func whole(v *serialv1.Value) (int64, bool) {
	switch v := v.GetKind().(type) {
	case *serialv1.Value_Integer:
		return v.Integer, true
	case *serialv1.Value_LargeInteger:
		return int64(v.LargeInteger), true
	}
	return 0, false
}
