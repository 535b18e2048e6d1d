package drives

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a robot's folder of state and a recording of it, by the clock of a synctest bubble.
type rig struct {
	*testing.T
	state string
	begin time.Time
	logs  map[string]*audit.Log
}

func newRig(t *testing.T) *rig {
	r := &rig{t, t.TempDir(), time.Now(), map[string]*audit.Log{}}
	t.Cleanup(r.close)
	return r
}

// log writes an event of a device, at a time after the beginning.
func (r *rig) log(device string, after time.Duration, e audit.Event) {
	r.Helper()
	time.Sleep(time.Until(r.begin.Add(after)))
	if r.logs[device] == nil {
		r.logs[device] = audit.Open(audit.Path(r.state, "rover", device), nil)
	}
	e.Device = device
	r.logs[device].Write(e)
	synctest.Wait()
}

func (r *rig) close() {
	for _, l := range r.logs {
		l.Close()
	}
}

// tape is a recording.
type tape struct {
	*rig
	path     string
	file     *write.File
	channels map[string]write.Channel
	sequence int64
}

func (r *rig) record(name string) *tape {
	r.Helper()
	path := filepath.Join(r.TempDir(), name)
	f, err := write.Create(path, write.Head{Metadata: map[string]string{"robot": "rover"}}, write.Config{})
	if err != nil {
		r.Fatal(err)
	}
	return &tape{r, path, f, map[string]write.Channel{}, 0}
}

func (t *tape) put(c recording.Channel, after time.Duration, m proto.Message) {
	t.Helper()
	id, there := t.channels[c.Name()]
	if !there {
		id = recordingtest.Add(t.T, t.file, c)
		t.channels[c.Name()] = id
	}
	data, err := proto.Marshal(m)
	if err == nil {
		err = t.file.Write(id, write.Message{Logged: t.begin.Add(after), Data: data})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (t *tape) close() string {
	t.Helper()
	if err := t.file.Close(); err != nil {
		t.Fatal(err)
	}
	return t.path
}

// picture records a picture that was captured 40 ms before.
func (t *tape) picture(camera, stream string, sequence int64, after time.Duration) {
	t.Helper()
	t.put(recording.Channel{Device: camera, Kind: "camera", Stream: stream, Direction: recording.Out,
		Type: videoType, Files: recordingtest.Files(&mediav1.VideoFrame{}), Media: media.H264}, after,
		&mediav1.VideoFrame{Epoch: 5, Sequence: sequence,
			CaptureTime: timestamppb.New(t.begin.Add(after - 40*time.Millisecond)),
			Format:      &mediav1.VideoFormat{MediaType: media.H264}, Data: make([]byte, 100)})
}

func (t *tape) says(device, json string, after time.Duration) {
	t.Helper()
	t.put(recording.Channel{Device: device, Kind: "serial", Stream: "rx", Direction: recording.Out, Type: serialType,
		Files: recordingtest.Files(&serialv1.SerialMessage{})}, after, &serialv1.SerialMessage{Json: json})
}

// command records a command to a device of an epoch, under a lease.
func (t *tape) command(device string, epoch, lease int64, verdict controlv1.CommandVerdict, after time.Duration,
	change func(*controlv1.CommandRecord)) {
	t.Helper()
	r := &controlv1.CommandRecord{Epoch: epoch, Sequence: t.sequence, JudgeTime: timestamppb.New(t.begin.Add(after)),
		Report: &controlv1.CommandReport{Sequence: 100 + t.sequence, Verdict: verdict,
			Age: durationpb.New(20 * time.Millisecond)},
		Lease: lease, Holder: "anna (page)", Caller: "anna", MessageJson: fmt.Sprintf(`{"left":%d}`, t.sequence)}
	if verdict == yes {
		r.Factor = 1
	}
	t.sequence++
	if change != nil {
		change(r)
	}
	t.put(recording.Channel{Device: device, Kind: "serial", Stream: "commands", Direction: recording.Out, Type: recordType,
		Files: recordingtest.Files(&controlv1.CommandRecord{})}, after, r)
}

const (
	yes     = controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED
	late    = controlv1.CommandVerdict_COMMAND_VERDICT_EXPIRED
	noLease = controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE
)

// sight is what a driver saw that was captured some time before a command.
func sight(at time.Time, age time.Duration, speed float64) func(*controlv1.CommandRecord) {
	return func(r *controlv1.CommandRecord) {
		r.Report.Sight = &controlv1.Sight{Camera: "front", Age: durationpb.New(age), Speed: speed}
		r.Seen = timestamppb.New(at)
	}
}

func open(t testing.TB, c Config) *Book {
	t.Helper()
	b, err := Open(context.WithoutCancel(t.Context()), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
