package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/recording/read"
)

// recordedRobot is a robot with a recorder.
type recordedRobot struct {
	*harness.Robot
	folder string
	client recorderv1.RecorderServiceClient
}

func startRecorded(t *testing.T) *recordedRobot {
	t.Helper()
	r := &recordedRobot{folder: filepath.Join(t.TempDir(), "recordings")}
	r.Robot = harness.StartRobot(t,
		harness.Options{Devices: "front: {kind: camera, source: test, width: 320, height: 240, fps: 30}\n" +
			boardSim + "\n" + fmt.Sprintf("recorder: {kind: recorder, folder: %q, keep: {free: 0}}", r.folder)})
	conn, err := bus.Connect(bus.Config{URL: r.NATS})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	r.client = recorderv1.NewRecorderServiceClient(conn.Client(bus.Address{Robot: "e2e", Device: "recorder"}))
	r.await(t, "the recorder knows the camera and the board", func(s *recorderv1.RecorderState) bool {
		streams := strings.Join(s.GetStreams(), " ")
		return strings.Contains(streams, "front/video") && strings.Contains(streams, "motors/rx")
	})
	return r
}

// await waits for a state of the recorder.
func (r *recordedRobot) await(t *testing.T, what string,
	is func(*recorderv1.RecorderState) bool) (last *recorderv1.RecorderState) {
	t.Helper()
	harness.Until(t, what, func() error {
		q, err := r.client.GetRecorder(t.Context(), &recorderv1.GetRecorderRequest{})
		if last = q.GetState(); err == nil && !is(last) {
			err = fmt.Errorf("the state is %v", last)
		}
		return err
	})
	return last
}

func isRecording(messages int64) func(*recorderv1.RecorderState) bool {
	return func(s *recorderv1.RecorderState) bool {
		return s.GetPhase() == recorderv1.RecorderPhase_RECORDER_PHASE_RECORDING &&
			s.GetRecording().GetMessageCount() >= messages
	}
}

// topics counts the messages of each topic of a file, and calls f for each.
func (r *recordedRobot) topics(t *testing.T, name string, f func(topic string, data []byte)) map[string]int {
	t.Helper()
	file, err := read.Open(filepath.Join(r.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	counts := map[string]int{}
	messages := file.Messages(read.Query{})
	for {
		m, err := messages.Next()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatal(err)
		}
		counts[m.Channel.Record.Topic]++
		f(m.Channel.Record.Topic, m.Data)
	}
}

// TestRecord records a drive that ends with an e-stop. The recorder is killed meanwhile: what it had is completed, and
// it goes on with the same recording.
func TestRecord(t *testing.T) {
	r := startRecorded(t)
	r.Waldo(t, "record", "start")
	startDriver(t, r.NATS)
	first := r.await(t, "it records", isRecording(200)).GetRecording().GetName()
	killed := r.Device(t, "recorder")
	harness.Crash(t, killed.PID)
	again := r.await(t, "it goes on", func(s *recorderv1.RecorderState) bool {
		return fmt.Sprint(s.GetEpoch()) != killed.Epoch && isRecording(400)(s)
	})
	if one := again.GetRecording(); one.GetName() != first || len(one.GetFiles()) != 2 {
		t.Errorf("it goes on with %v instead of %s", one, first)
	}
	r.Waldo(t, "record", "mark", "the e-stop")
	r.Waldo(t, "estop")
	begun := r.await(t, "it still records", isRecording(0)).GetRecording().GetMessageCount()
	r.await(t, "the e-stop is recorded", isRecording(begun+50))
	files := strings.Fields(r.Waldo(t, "record", "stop"))
	if len(files) != 2 || files[0] != first {
		t.Fatalf("the files are %v", files)
	}
	second := files[1]
	for _, name := range files {
		counts, stopped := r.checkDrive(t, name)
		if marks := counts["/recorder/marks"]; stopped != (name == second) || (marks == 1) != (name == second) {
			t.Errorf("%s: e-stop %v, %d marks", name, stopped, marks)
		}
	}
	if list := r.Waldo(t, "recordings"); strings.Count(list, "\n") != 2 || !strings.Contains(list, first) ||
		!strings.Contains(list, "repaired") || !strings.Contains(list, "the e-stop") {
		t.Errorf("waldo recordings:\n%s", list)
	}
}

// awaitFile waits until a file is complete.
func (r *recordedRobot) awaitFile(t *testing.T, name string) {
	t.Helper()
	harness.Until(t, name+" is completed", func() error {
		_, err := os.Stat(filepath.Join(r.folder, name))
		return err
	})
}

// checkDrive checks that a drive is in a file, without a gap, and reports whether an e-stop is.
func (r *recordedRobot) checkDrive(t *testing.T, name string) (counts map[string]int, stopped bool) {
	t.Helper()
	var epoch, last int64
	counts = r.topics(t, name, func(topic string, data []byte) {
		switch topic {
		case "/front/video":
			var f mediav1.VideoFrame
			if err := proto.Unmarshal(data, &f); err != nil || f.GetEpoch() == epoch && f.GetSequence() != last+1 {
				t.Errorf("%s: picture %d after %d, %v", name, f.GetSequence(), last, err)
			}
			epoch, last = f.GetEpoch(), f.GetSequence()
		case "/motors/control":
			var s controlv1.ControlState
			if err := proto.Unmarshal(data, &s); err != nil {
				t.Error(err)
			}
			stopped = stopped || s.GetEStop() != nil
		}
	})
	for _, topic := range []string{"/front/video", "/motors/rx", "/motors/control", "/motors/commands"} {
		if counts[topic] < 5 {
			t.Errorf("%s has %d of %s: %v", name, counts[topic], topic, counts)
		}
	}
	return counts, stopped
}

// TestRecordFull: a disk that takes no more ends the recording, which everybody is told, and harms nothing else. It
// goes on when there is room, and what was written is completed.
func TestRecordFull(t *testing.T) {
	r := startRecorded(t)
	recorder, camera := r.Device(t, "recorder"), r.Device(t, "front")
	limit := func(bytes uint64) { // of each file
		if err := unix.Prlimit(recorder.PID, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY},
			nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(1 << 20)
	r.Waldo(t, "record", "start")
	first := r.await(t, "it records", isRecording(1)).GetRecording().GetName()
	s := r.await(t, "it cannot be recorded any more", func(s *recorderv1.RecorderState) bool {
		return s.GetPhase() == recorderv1.RecorderPhase_RECORDER_PHASE_FAILED
	})
	if !strings.Contains(s.GetProblem(), "file too large") || s.GetLostCount() == 0 {
		t.Errorf("%v", s)
	}
	limit(4 << 10) // so that no other file can be begun
	harness.Until(t, "waldo ls says so", func() error {
		list := r.Devices(t)
		if !slices.ContainsFunc(list, func(d harness.Device) bool {
			return d.Name == "recorder" && d.State == "away" && strings.Contains(d.StateReason, "file too large")
		}) {
			return fmt.Errorf("%+v", list)
		}
		return nil
	})
	limit(unix.RLIM_INFINITY)
	second := r.await(t, "it goes on", isRecording(100)).GetRecording().GetName()
	if second == first {
		t.Errorf("it goes on in %s", second)
	}
	r.awaitFile(t, first)
	r.Waldo(t, "record", "stop")
	if counts := r.topics(t, first, func(string, []byte) {}); counts["/front/video"] < 10 {
		t.Errorf("%v", counts)
	}
	if d := r.Device(t, "recorder"); d.PID != recorder.PID {
		t.Errorf("the recorder has ended: %+v", d)
	}
	if d := r.Device(t, "front"); d.Epoch != camera.Epoch || d.State != "ready" {
		t.Errorf("the camera: %+v", d)
	}
}
