package labtest

import (
	"slices"
	"strings"
	"testing"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/deploy/vm/boardsim"
)

// motors is a plugged-in board with motors, and the program that runs it.
type motors struct {
	*board
	hardware *boardsim.Board
	path     string // of the board's end of the line
}

// startMotors plugs in a board and starts its program. At the far end, nobody has opened the line yet.
func startMotors(t *testing.T) motors {
	t.Helper()
	hardware := buildBoard(t)
	path := boardLine(t, hardware)
	plugBoard(t, hardware)
	return motors{startSerial(t, firstAddress, lineByID, motorFlags(t)...), hardware, path}
}

// awaitStops waits until the last commands at the far end are stops, as many as the program sends.
func awaitStops(t *testing.T, far *line) {
	t.Helper()
	eventually(t, "stops heard", func() bool { return strings.HasSuffix(far.all(), stop+stop+stop) })
}

// The driver goes silent: the board is stopped.
func TestSilentDriver(t *testing.T) {
	requireLab(t)
	m := startMotors(t)
	m.awaitReady()
	far := hearLine(t, m.path)
	d := m.acquire()
	for round := range int16(3) {
		d.drive(far, 100+round, -100)
		awaitStops(t, far)
		all := far.all()
		commands(t, all)
		moved := strings.LastIndex(all, frame(0xa5, 100+round, -100)) + len(stop)
		if !strings.HasPrefix(all[moved:], stop) {
			t.Errorf("after it moved the board received % x", all[moved:])
		}
		t.Logf("the board was stopped %.3f s after it received the last command",
			far.at(moved+len(stop)).Sub(far.at(moved)).Seconds())
	}
}

// A board that is pulled out while it drives receives a stop first when it is back, and moves only after its driver
// has sent a neutral command.
func TestUnplugWhileDriving(t *testing.T) {
	requireLab(t)
	m := startMotors(t)
	before := m.awaitReady()
	far := hearLine(t, m.path)
	d := m.acquire()
	for range 2 {
		d.drive(far, 100, 100)
		unplugBoard(t, m.hardware)
		sameProcess(t, before, m.awaitAway())
		if verdict := d.send(100, 100); verdict != controlv1.CommandVerdict_COMMAND_VERDICT_AWAY {
			t.Errorf("while it is away: %v", verdict)
		}
		far.close()
		far = hearLine(t, m.path)
		plugBoard(t, m.hardware)
		sameProcess(t, before, m.awaitReady())
		verdict := d.send(100, 100)
		// the driver did not know yet that the board was back
		for verdict == controlv1.CommandVerdict_COMMAND_VERDICT_BEFORE_STOP {
			verdict = d.send(100, 100)
		}
		if verdict != controlv1.CommandVerdict_COMMAND_VERDICT_NOT_NEUTRAL {
			t.Errorf("moving first: %v", verdict)
		}
		awaitStops(t, far)
		for _, c := range commands(t, far.all()) {
			if c != stop {
				t.Errorf("before a neutral command the board received % x", c)
			}
		}
	}
}

// A board that does not read is full after one message, which the machine holds for it, and no other queues behind
// that: a driver who keeps driving blindly moves the board by one old command at most, once it reads again, and then it
// is stopped.
func TestBoardThatDoesNotListen(t *testing.T) {
	requireLab(t)
	m := startMotors(t)
	before := m.awaitReady()
	d := m.acquire()

	t.Log("it does not read from the start: the machine holds the stop that every board receives first")
	d.driveOn()
	far := hearLine(t, m.path)
	awaitStops(t, far)
	checkStopped(t, far, 0)

	t.Log("it stops reading")
	d.drive(far, 1, 1)
	far.close()
	d.driveOn()
	far = hearLine(t, m.path)
	awaitStops(t, far)
	checkStopped(t, far, 1)
	far.close()

	t.Log("it is pulled out")
	d.driveOn()
	unplugBoard(t, m.hardware)
	sameProcess(t, before, m.awaitAway())
	far = hearLine(t, m.path)
	plugBoard(t, m.hardware)
	sameProcess(t, before, m.awaitReady())
	awaitStops(t, far)
	checkStopped(t, far, 0)
	far.close()

	t.Log("its process is stopped")
	d.driveOn()
	m.stop()
}

// A board whose system buffers what its program does not read is another case: nobody can take that data back. The
// program receives all of it, in order, and the stop at the end.
func TestBoardThatReadsLate(t *testing.T) {
	requireLab(t)
	m := startMotors(t)
	m.awaitReady()
	far := openLine(t, m.path)
	m.acquire().driveOn()
	far.listen()
	awaitStops(t, far)
	moves := movesOf(t, far)
	t.Logf("%d old commands waited in the board's own buffers", len(moves))
	if !slices.IsSorted(moves) {
		t.Errorf("out of order: %d", moves)
	}
}

// checkStopped checks that a board has received a few old commands at most, and only stops after the first stop.
func checkStopped(t *testing.T, far *line, most int) {
	t.Helper()
	moves := movesOf(t, far)
	t.Logf("old commands: %d", moves)
	first, _, _ := strings.Cut(far.all(), stop)
	if len(moves) > most || len(first) != len(moves)*len(stop) {
		t.Errorf("the board received % x, want %d old commands at most, and then stops", commands(t, far.all()), most)
	}
}

// movesOf lists the left values of all commands that a board has received, except stops.
func movesOf(t *testing.T, far *line) (list []int) {
	t.Helper()
	for _, c := range commands(t, far.all()) {
		if c != stop {
			list = append(list, int(c[1])|int(c[2])<<8)
		}
	}
	return list
}
