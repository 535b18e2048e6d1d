package labtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/lease"
)

// stop is the command that stops the board.
var stop = frame(0xa5, 0, 0)

// motorFlags make the board an actuator with two motors.
func motorFlags(t *testing.T) []string {
	return frameFlags("--control", fmt.Sprintf("{safe: {left: 0, right: 0}, state: %q}", t.TempDir()))
}

// driver drives a board.
type driver struct {
	*lease.Lease
	board *board
}

// acquire acquires the lease on the board and gives it back at the end of the test.
func (b *board) acquire() *driver {
	b.t.Helper()
	l, err := lease.Acquire(b.context(), b.conn, "lab")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(l.Close)
	return &driver{l, b}
}

// send sends one command, and returns the verdict.
func (d *driver) send(left, right int16) controlv1.CommandVerdict {
	d.board.t.Helper()
	header, err := d.Header(d.board.t.Context())
	if err != nil {
		d.board.t.Fatal(err)
	}
	m := jsonMessage(fmt.Sprintf(`{"left": %d, "right": %d}`, left, right))
	m.Control = header
	r, err := d.board.serial.WriteMessage(d.board.context(), m)
	d.Heard(r.GetReport(), err)
	if err == nil {
		return r.GetReport().GetVerdict()
	}
	report := lease.Report(err)
	if report == nil {
		d.board.t.Fatal(err)
	}
	return report.GetVerdict()
}

// drive sends a command repeatedly, as a driver does, until the board at the far end has received it, and returns the
// offset after it. It begins with a neutral command where one is required.
func (d *driver) drive(far *line, left, right int16) (behind int) {
	d.board.t.Helper()
	from, wanted := len(far.all()), frame(0xa5, left, right)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); time.Since(begin) < patience; <-tick.C {
		if d.send(left, right) == controlv1.CommandVerdict_COMMAND_VERDICT_NOT_NEUTRAL {
			d.send(0, 0)
		}
		if i := strings.Index(far.all()[from:], wanted); i >= 0 {
			return from + i + len(wanted)
		}
	}
	d.board.t.Fatalf("the board did not receive %d, %d in %v, but % x", left, right, patience, far.all()[from:])
	return 0
}

// driveOn sends many commands with rising numbers, like a driver who does not see the board, and then goes silent
// until the deadman has noticed.
func (d *driver) driveOn() {
	d.board.t.Helper()
	const first, count = 100, 50
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	verdicts := map[controlv1.CommandVerdict]int{}
	for i := range int16(count) {
		verdict := d.send(first+i, first+i)
		verdicts[verdict]++
		if verdict == controlv1.CommandVerdict_COMMAND_VERDICT_NOT_NEUTRAL {
			d.send(0, 0)
		}
		<-tick.C
	}
	if verdicts[controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED] == 0 {
		d.board.t.Errorf("no command was accepted: %v", verdicts)
	}
	control := controlv1.NewControlServiceClient(d.board.conn)
	eventually(d.board.t, "deadman", func() bool {
		now, err := control.GetControl(d.board.context(), &controlv1.GetControlRequest{})
		return err == nil && now.GetState().GetPhase() != controlv1.ControlPhase_CONTROL_PHASE_DRIVING
	})
}

// commands splits what a board has received into commands. Anything else is a failure.
func commands(t *testing.T, all string) (list []string) {
	t.Helper()
	for ; len(all) >= len(stop); all = all[len(stop):] {
		one := all[:len(stop)]
		if one[0] != 0xa5 || crc8(one[1:5]) != one[5] {
			t.Fatalf("% x is not a command", one)
		}
		list = append(list, one)
	}
	if all != "" {
		t.Errorf("% x remains after the last command", all)
	}
	return list
}
