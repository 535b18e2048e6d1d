package recorder_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

// TestRestart: what a device says in its next life is recorded as well, and one that comes later.
func TestRestart(t *testing.T) {
	r := start(t, nil)
	r.record(t)
	r.begin(t)
	late := &camera{}
	p := run(t, r, "late", late.kind(), struct{}{})
	r.await(t, "the new device is recorded", func(s *recorderv1.RecorderState) bool {
		return slices.Contains(s.GetRecording().GetDevices(), "late")
	})
	r.more(t, 300)
	p.Stop()
	again := &camera{}
	run(t, r, "late", again.kind(), struct{}{})
	until(t, "the next life is held", again.out.Held)
	r.more(t, 300)
	one := r.end(t)
	all, f := r.read(t, one.GetName())
	epochs := map[int64]int{}
	for _, m := range on(all, "/late/video") {
		var v mediav1.VideoFrame
		if err := proto.Unmarshal([]byte(m.data), &v); err != nil {
			t.Fatal(err)
		}
		epochs[v.GetEpoch()]++
	}
	if epochs[late.epoch] < 10 || epochs[again.epoch] < 10 || len(epochs) != 2 {
		t.Errorf("%v", epochs)
	}
	n := 0
	for _, c := range f.Channels() {
		if c.Record.Topic == "/late/video" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d channels for definitions that are the same", n)
	}
	if data, err := f.Attachment("descriptors/late"); err != nil || len(data) == 0 {
		t.Errorf("the device that came later is not described: %v", err)
	}
}

// TestNoFolder: a folder without rights, or one that another recorder has, is told, and tried again.
func TestNoFolder(t *testing.T) {
	r := start(t, nil)
	if err := os.WriteFile(r.folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := r.record(t)
	s := r.await(t, "it fails", func(s *recorderv1.RecorderState) bool {
		return s.GetPhase() == recorderv1.RecorderPhase_RECORDER_PHASE_FAILED
	})
	if !strings.Contains(s.GetProblem(), "folder") {
		t.Errorf("%v", s)
	}
	until(t, "the device is away for want of its folder", func() bool {
		d := p.Kit().Device()
		return d.GetState() == devicev1.DeviceState_DEVICE_STATE_AWAY && strings.Contains(d.GetStateReason(), "folder")
	})
	if _, err := r.client.StartRecording(t.Context(),
		&recorderv1.StartRecordingRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("started: %v", err)
	}
	if err := os.Remove(r.folder); err != nil {
		t.Fatal(err)
	}
	r.await(t, "it is there", idle)
	other := run(t, r, "second", recorder.Kind(), r.config)
	until(t, "the second recorder tells of the first", func() bool {
		return strings.Contains(other.Kit().Device().GetStateReason(), "another recorder")
	})
}

// TestFull: a disk without room is told, and nothing is recorded until there is room.
func TestFull(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.Keep.Free = 1 << 60 })
	r.record(t)
	r.await(t, "it is there", idle)
	_, err := r.client.StartRecording(t.Context(), &recorderv1.StartRecordingRequest{})
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "room") {
		t.Errorf("%v", err)
	}
	if s := r.await(t, "nothing is wanted", idle); !strings.Contains(s.GetProblem(),
		"nothing can be recorded: too little room") {
		t.Errorf("%v", s)
	}
	r.unmarked(t, "delete recordings")
	always := r.config
	always.When, always.Folder = "always", r.folder+"-2"
	p := run(t, r, "other", recorder.Kind(), always)
	client := recorderv1.NewRecorderServiceClient(r.conn.Client(p.Kit().Address()))
	until(t, "it fails for want of room", func() bool {
		q, err := client.GetRecorder(t.Context(), &recorderv1.GetRecorderRequest{})
		return err == nil && q.GetState().GetPhase() == recorderv1.RecorderPhase_RECORDER_PHASE_FAILED &&
			strings.Contains(q.GetState().GetProblem(), "room") &&
			p.Kit().Device().GetState() == devicev1.DeviceState_DEVICE_STATE_AWAY
	})
	_, err = client.AddMark(t.Context(), &recorderv1.AddMarkRequest{Text: "x"})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "delete recordings") {
		t.Errorf("%v", err)
	}
	if files := r.files(t, "mcap"); len(files) != 0 {
		t.Errorf("%v", files)
	}
}

// unmarked checks what is said to somebody who marks while nothing is recorded.
func (r *rig) unmarked(t *testing.T, says string) {
	t.Helper()
	_, err := r.client.AddMark(t.Context(), &recorderv1.AddMarkRequest{Text: "x"})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), says) ||
		strings.Contains(err.Error(), "start a recording") {
		t.Errorf("a mark: %v, want %q", err, says)
	}
}

// TestKeep: the oldest recordings go when there are too many.
func TestKeep(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.Keep.Recordings = 2 })
	r.record(t)
	var names []string
	for range 3 {
		r.begin(t)
		names = append(names, r.end(t).GetName())
	}
	r.begin(t)
	if files := r.files(t, ".mcap"); slices.Contains(files, names[0]) || !slices.Contains(files, names[2]) {
		t.Errorf("%v are left of %v", files, names)
	}
}
