package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/work"
)

// ofTheTest is the camera of the robots that the harness starts.
var ofTheTest = bus.Address{Robot: "e2e", Device: "front"}

// connectBus returns a connection to a robot's bus.
func connectBus(tb testing.TB, robot *harness.Robot) *bus.Conn {
	tb.Helper()
	conn, err := bus.Connect(bus.Config{URL: robot.NATS})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	return conn.Conn
}

// collect returns the results of a track of the camera.
func collect(tb testing.TB, conn *bus.Conn, track string, config work.ResultsConfig) *work.Results {
	tb.Helper()
	results, err := work.Collect(conn, ofTheTest, track, config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(results.Close)
	return results
}

// nextResult returns the next result of a track.
func nextResult(tb testing.TB, results *work.Results) *workv1.Result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	r, err := results.Next(ctx)
	if err != nil {
		tb.Fatalf("%v: %+v", err, results.Stats())
	}
	return r
}

// TestWorkersOfThreeLanguages: workers in Go, Python and Node share the frames of a camera, each made from the
// protocol; their results come in order. One is killed and the camera crashes, and the others go on.
func TestWorkersOfThreeLanguages(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	front := robot.Device(t, "front")
	conn := connectBus(t, robot)
	results := collect(t, conn, "sizes", work.ResultsConfig{All: true, Buffer: 2 * time.Second})
	size := func(_ context.Context, f *mediav1.VideoFrame) (*workv1.Result, error) {
		return &workv1.Result{Value: structpb.NewNumberValue(float64(len(f.GetData())))}, nil
	}
	w, err := work.Start(conn, ofTheTest, "sizes", size, work.Config{Name: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	arguments := []string{robot.NATS, ofTheTest.Robot, ofTheTest.Device, "sizes"}
	inPython := harness.Start(t, nil, python(t), append([]string{"readers/worker.py"}, append(arguments, "python")...)...)
	harness.Start(t, nil, "node", append([]string{"readers/worker.mjs"}, append(arguments, "node")...)...)

	last := nextResult(t, results)
	workEach := func(names ...string) { // returns when each has worked on 20 frames
		end := time.Now().Add(2 * harness.Patience)
		for worked := map[string]int{}; ; {
			r := nextResult(t, results)
			if r.GetEpoch() == last.GetEpoch() && r.GetSequence() <= last.GetSequence() {
				t.Errorf("frame %d follows %d", r.GetSequence(), last.GetSequence())
			}
			last = r
			switch {
			case r.GetOutcome() == workv1.Outcome_OUTCOME_DROPPED: // as it may on a busy machine
			case r.GetOutcome() != workv1.Outcome_OUTCOME_DONE, r.GetValue().GetNumberValue() < 1000:
				t.Fatalf("%s makes %v", r.GetWorker(), r)
			default:
				worked[r.GetWorker()]++
			}
			if !slices.ContainsFunc(names, func(name string) bool { return worked[name] < 20 }) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("of %v have worked %v", names, worked)
			}
		}
	}
	workEach("go", "python", "node")
	before := last.GetEpoch()
	harness.Crash(t, front.PID)
	workEach("go", "python", "node")
	if last.GetEpoch() == before {
		workEach("go", "python", "node") // what was on its way
	}
	inPython.Stop(t) // it leaves, and loses nothing
	workEach("go", "node")
	// A busy camera drops frames.
	if s := results.Stats(); s.Duplicate+s.Invalid+s.Failed != 0 || s.Late+s.Missing > s.Delivered/10 {
		t.Errorf("counted %+v", s)
	}
}

// TestWorkerCrash: what was with a worker is missing, and the stream goes on without it.
func TestWorkerCrash(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	robot.Device(t, "front")
	results := collect(t, connectBus(t, robot), "sizes", work.ResultsConfig{Buffer: 200 * time.Millisecond})
	start := func(name string) *harness.Process {
		return harness.Start(t, nil, python(t), "readers/worker.py", robot.NATS, ofTheTest.Robot, ofTheTest.Device, "sizes",
			name)
	}
	victim := start("victim")
	start("other")
	worked := map[string]int{}
	for end := time.Now().Add(2 * harness.Patience); worked["victim"] < 5 || worked["other"] < 5; {
		if worked[nextResult(t, results).GetWorker()]++; time.Now().After(end) {
			t.Fatalf("have worked %v", worked)
		}
	}
	harness.Crash(t, victim.PID())
	for clear(worked); worked["other"] < 60; {
		worked[nextResult(t, results).GetWorker()]++
	}
	if s := results.Stats(); s.Missing > 10 || s.Duplicate+s.Invalid+s.Failed != 0 {
		t.Errorf("counted %+v", s)
	}
}
