package recorder_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits for what must happen.
const patience = 30 * time.Second

// camera is a device that sends a picture every 10 ms while it is held, beginning with a key frame, and states of who
// drives it.
type camera struct {
	camerav1.UnimplementedCameraServiceServer
	out     *device.Out[*mediav1.VideoFrame]
	small   *device.Out[*mediav1.VideoFrame]
	control *device.Out[*controlv1.ControlState]
	in      *device.In[*mediav1.AudioFrame]
	epoch   int64
	want    atomic.Bool  // a key frame
	asked   atomic.Int64 // for key frames
	state   atomic.Pointer[controlv1.ControlState]

	mu   sync.Mutex
	sent [][]byte
}

func (c *camera) kind() device.Kind[struct{}] {
	return device.Kind[struct{}]{Name: "camera", Version: "1.0.0",
		New: func(k *device.Kit, _ struct{}) (device.Driver, error) {
			camerav1.RegisterCameraServiceServer(k, c)
			c.out = device.NewOut[*mediav1.VideoFrame](k, "video",
				device.OutOptions{MediaTypes: []string{media.H264}, KeyFrameOnRequest: true})
			c.small = device.NewOut[*mediav1.VideoFrame](k, "video-small",
				device.OutOptions{AlternativeTo: "video", Small: true})
			c.control = device.NewOut[*controlv1.ControlState](k, "control", device.OutOptions{})
			c.in = device.NewIn[*mediav1.AudioFrame](k, "speaker", stream.DropOldest(10))
			c.epoch = k.Epoch()
			c.state.Store(&controlv1.ControlState{Epoch: c.epoch})
			return c, nil
		}}
}

// Run implements [device.Driver].
func (c *camera) Run(ctx context.Context, ready func()) error {
	ready()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	c.want.Store(true)
	n := int64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c.control.Publish(c.state.Load())
		if !c.out.Held() {
			continue
		}
		f := &mediav1.VideoFrame{Epoch: c.epoch, Sequence: n, KeyFrame: c.want.Swap(false), Data: make([]byte, 1000),
			CaptureTime: timestamppb.Now(), Format: &mediav1.VideoFormat{MediaType: media.H264}}
		n++
		data, _ := proto.Marshal(f) // it always can be
		c.mu.Lock()
		c.sent = append(c.sent, data)
		c.mu.Unlock()
		c.out.Publish(f)
	}
}

// RequestKeyFrame implements the CameraService.
func (c *camera) RequestKeyFrame(context.Context,
	*camerav1.RequestKeyFrameRequest) (*camerav1.RequestKeyFrameResponse, error) {
	c.asked.Add(1)
	c.want.Store(true)
	return &camerav1.RequestKeyFrameResponse{}, nil
}

// rig is a robot with a camera and a recorder.
type rig struct {
	server *embedded.Server
	url    string
	conn   *bus.Conn
	camera *camera
	folder string
	state  string // of the recorder; each other device has one of its own
	config recorder.Config
	client recorderv1.RecorderServiceClient
	log    *logtest.Text
}

// start runs a rig; change adjusts the configuration.
func start(t *testing.T, change func(*recorder.Config)) *rig {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	r := &rig{server: server, url: server.URL(), conn: conn.Conn, camera: &camera{}, folder: filepath.Join(t.TempDir(), "recordings"),
		state: filepath.Join(t.TempDir(), "state"), config: recorder.Defaults(), log: &logtest.Text{}}
	run(t, r, "front", r.camera.kind(), struct{}{})
	r.config.Folder, r.config.Keep.Free = r.folder, 0
	if change != nil {
		change(&r.config)
	}
	if err := r.config.Validate(); err != nil {
		t.Fatal(err)
	}
	r.client = recorderv1.NewRecorderServiceClient(conn.Client(bus.Address{Robot: "rover", Device: "recorder"}))
	return r
}

// record runs a recorder until the test, or the process that is returned, ends.
func (r *rig) record(t *testing.T) *device.Process {
	t.Helper()
	return runIn(t, r, "recorder", recorder.Kind(), r.config, r.state)
}

func run[C any](t *testing.T, r *rig, name string, k device.Kind[C], c C) *device.Process {
	t.Helper()
	return runIn(t, r, name, k, c, filepath.Join(t.TempDir(), "state"))
}

func runIn[C any](t *testing.T, r *rig, name string, k device.Kind[C], c C, state string) *device.Process {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.MultiWriter(logtest.Writer(t), r.log), nil))
	p, err := device.Start(k, device.Settings{Robot: "rover", Device: name, NATS: r.url, State: state}, c, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// await waits until the state is as it should be, and returns it.
func (r *rig) await(t *testing.T, what string, is func(*recorderv1.RecorderState) bool) *recorderv1.RecorderState {
	t.Helper()
	var last *recorderv1.RecorderState
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		q, err := r.client.GetRecorder(t.Context(), &recorderv1.GetRecorderRequest{})
		if err == nil && is(q.GetState()) {
			return q.GetState()
		}
		last = q.GetState()
	}
	t.Fatalf("not within %v: %s; the state is %v", patience, what, last)
	return nil
}

// until waits for what makes no event.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func recording(s *recorderv1.RecorderState) bool {
	return s.GetPhase() == recorderv1.RecorderPhase_RECORDER_PHASE_RECORDING
}

func idle(s *recorderv1.RecorderState) bool {
	return s.GetPhase() == recorderv1.RecorderPhase_RECORDER_PHASE_IDLE
}

// begin starts a recording, and waits until it has some messages.
func (r *rig) begin(t *testing.T) *recorderv1.RecorderState {
	t.Helper()
	r.await(t, "the recorder knows the camera", func(s *recorderv1.RecorderState) bool {
		return strings.Contains(strings.Join(s.GetStreams(), " "), "front/video")
	})
	if _, err := r.client.StartRecording(t.Context(), &recorderv1.StartRecordingRequest{By: "test"}); err != nil {
		t.Fatal(err)
	}
	return r.more(t, 100)
}

// more waits until the recording has so many more messages.
func (r *rig) more(t *testing.T, n int64) *recorderv1.RecorderState {
	t.Helper()
	s := r.await(t, "it records", recording)
	want := s.GetRecording().GetMessageCount() + n
	return r.await(t, "messages are recorded", func(s *recorderv1.RecorderState) bool {
		return s.GetRecording().GetMessageCount() >= want
	})
}

// end ends the recording.
func (r *rig) end(t *testing.T) *recorderv1.Recording {
	t.Helper()
	q, err := r.client.StopRecording(t.Context(), &recorderv1.StopRecordingRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return q.GetRecording()
}

// message is one of a file.
type message struct {
	topic            string
	logged, captured time.Time
	data             string
}

// read returns what is in a file, and its attachments.
func (r *rig) read(t *testing.T, name string) ([]message, *read.File) {
	t.Helper()
	f, err := read.Open(filepath.Join(r.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var all []message
	messages := f.Messages(read.Query{})
	for {
		m, err := messages.Next()
		if errors.Is(err, io.EOF) {
			return all, f
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, message{m.Channel.Record.Topic, m.Logged, m.Published, string(m.Data)})
	}
}

// on returns the messages of a topic.
func on(all []message, topic string) (some []message) {
	for _, m := range all {
		if m.topic == topic {
			some = append(some, m)
		}
	}
	return some
}

// files are those of the folder that end with a suffix.
func (r *rig) files(t *testing.T, suffix string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(r.folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if strings.HasSuffix(one.Name(), suffix) {
			names = append(names, one.Name())
		}
	}
	return names
}
