package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
)

// tape is a recorder that writes nothing.
type tape struct {
	recorderv1.UnimplementedRecorderServiceServer
	mu    sync.Mutex
	state *recorderv1.RecorderState
}

func (f *tape) StartRecording(_ context.Context,
	r *recorderv1.StartRecordingRequest) (*recorderv1.StartRecordingResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = &recorderv1.RecorderState{Phase: recorderv1.RecorderPhase_RECORDER_PHASE_RECORDING, StartedBy: r.GetBy(),
		FreeBytes: 5 << 30, LostCount: 3, Streams: []string{"front/video", "motors/rx"},
		Recording: &recorderv1.Recording{Name: "a.mcap", Files: []string{"a.mcap", "b.mcap"}, SizeBytes: 3 << 20,
			Duration: durationpb.New(90 * time.Second), MessageCount: 12}}
	return &recorderv1.StartRecordingResponse{State: f.state}, nil
}

func (f *tape) StopRecording(context.Context,
	*recorderv1.StopRecordingRequest) (*recorderv1.StopRecordingResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.state.GetRecording()
	f.state = &recorderv1.RecorderState{Phase: recorderv1.RecorderPhase_RECORDER_PHASE_IDLE}
	return &recorderv1.StopRecordingResponse{Recording: one}, nil
}

func (f *tape) AddMark(_ context.Context, r *recorderv1.AddMarkRequest) (*recorderv1.AddMarkResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.GetRecording() == nil {
		return nil, status.Error(codes.FailedPrecondition, "nothing is being recorded")
	}
	return &recorderv1.AddMarkResponse{Mark: &recorderv1.Mark{Text: r.GetText(), By: r.GetBy(), Time: timestamppb.Now()}},
		nil
}

func (f *tape) GetRecorder(context.Context, *recorderv1.GetRecorderRequest) (*recorderv1.GetRecorderResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &recorderv1.GetRecorderResponse{State: f.state}, nil
}

// Run implements [device.Driver].
func (f *tape) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

func (f *tape) start(t *testing.T, nats, robot string) {
	t.Helper()
	p, err := device.Start(device.Kind[struct{}]{Name: "recorder", Version: "1.0.0",
		New: func(k *device.Kit, _ struct{}) (device.Driver, error) {
			recorderv1.RegisterRecorderServiceServer(k, f)
			return f, nil
		}}, device.Settings{Robot: robot, Device: "recorder", NATS: nats}, struct{}{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
}

// TestRecord begins, marks and ends a recording.
func TestRecord(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	t.Setenv("WALDO_NATS", server.URL())
	if code, _, err := waldo(t, "record", "start"); code != 1 || !strings.Contains(err, "no recorder answers") {
		t.Errorf("without a recorder: %d, %s", code, err)
	}
	one := &tape{}
	one.start(t, server.URL(), "demo")
	for _, tt := range []struct {
		args []string
		code int
		out  string
		err  string
	}{
		{[]string{"status"}, 0, "demo/recorder: unspecified", ""},
		{[]string{"mark", "x"}, 1, "", "demo/recorder: nothing is being recorded"},
		{[]string{"stop"}, 0, "", "was not recording"},
		{[]string{"start"}, 0, "", "demo/recorder records to a.mcap"},
		{[]string{"mark", "hit the curb"}, 0, "", ": hit the curb"},
		{[]string{"status"}, 0, "so far     1m30s, 3.0 MiB, 12 messages, 0 marks", ""},
		{[]string{"status", "--device", "recorder"}, 0, "started by waldo record", ""},
		{[]string{"stop"}, 0, "a.mcap\nb.mcap\n", "demo/recorder has recorded 1m30s, 3.0 MiB"},
		{[]string{"mark"}, 2, "", "expected"},
		{[]string{"start", "--device", "other"}, 1, "", "there is no device"},
	} {
		code, out, err := waldo(t, append([]string{"record"}, tt.args...)...)
		if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(err, tt.err) {
			t.Errorf("%v: %d\n%s%s", tt.args, code, out, err)
		}
	}
	(&tape{}).start(t, server.URL(), "second")
	if code, _, err := waldo(t, "record", "start"); code != 1 || !strings.Contains(err, "demo/recorder, second/recorder") {
		t.Errorf("two recorders: %d, %s", code, err)
	}
	if code, _, err := waldo(t, "record", "start", "--robot", "second"); code != 0 ||
		!strings.Contains(err, "second/recorder records") {
		t.Errorf("one of two: %d, %s", code, err)
	}
}
