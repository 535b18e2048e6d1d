package recorder_test

import (
	"context"
	"strings"
	"testing"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

// TestBusAway: the time in which the bus was away is a gap of each device, and what is missing by its numbers counts.
func TestBusAway(t *testing.T) {
	r := start(t, nil)
	r.record(t)
	r.begin(t)
	r.server.Close()
	until(t, "nobody holds the camera", func() bool { return !r.camera.out.Held() })
	server, err := embedded.Start(embedded.Config{Listen: strings.TrimPrefix(r.url, "nats://")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	until(t, "the recorder holds the camera", r.camera.out.Held)
	s := r.more(t, 300)
	r.await(t, "the pictures count", func(s *recorderv1.RecorderState) bool { return s.GetLostCount() > 0 })
	if _, err := r.client.StopRecording(t.Context(), &recorderv1.StopRecordingRequest{}); err != nil {
		t.Fatal(err)
	}
	told, err := r.client.GetTimeline(t.Context(), &recorderv1.GetTimelineRequest{Name: s.GetRecording().GetName()})
	if err != nil {
		t.Fatal(err)
	}
	var silent, counted bool
	for _, e := range told.GetEvents() {
		if e.GetKind() == recorderv1.TimelineEventKind_TIMELINE_EVENT_KIND_GAP && e.GetDevice() == "front" {
			silent = silent || strings.Contains(e.GetText(), "the device was not heard")
			counted = counted || strings.Contains(e.GetText(), "pictures of video were not recorded")
		}
	}
	if !silent || !counted {
		t.Errorf("%v", told)
	}
}

// sparse is a device whose streams can skip numbers.
type sparse struct {
	rx      *device.Out[*serialv1.SerialMessage]
	results *device.Out[*workv1.Result]
	sound   *device.Out[*mediav1.AudioFrame]
}

func (s *sparse) kind() device.Kind[struct{}] {
	return device.Kind[struct{}]{Name: "sparse", Version: "1.0.0",
		New: func(k *device.Kit, _ struct{}) (device.Driver, error) {
			s.rx = device.NewOut[*serialv1.SerialMessage](k, "rx", device.OutOptions{})
			s.results = device.NewOut[*workv1.Result](k, "results", device.OutOptions{})
			s.sound = device.NewOut[*mediav1.AudioFrame](k, "sound", device.OutOptions{})
			return s, nil
		}}
}

// Run implements [device.Driver].
func (s *sparse) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// TestMissing: what is missing by its numbers counts, unless the numbers are those of something else.
func TestMissing(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.Record = []string{"motors"} })
	r.record(t)
	s := &sparse{}
	run(t, r, "motors", s.kind(), struct{}{})
	r.await(t, "the recorder knows the device", func(s *recorderv1.RecorderState) bool {
		return len(s.GetStreams()) == 3
	})
	if _, err := r.client.StartRecording(t.Context(), &recorderv1.StartRecordingRequest{By: "test"}); err != nil {
		t.Fatal(err)
	}
	until(t, "all is held", func() bool { return s.rx.Held() && s.results.Held() && s.sound.Held() })
	for _, n := range []int64{0, 1, 5} {
		s.results.Publish(&workv1.Result{Epoch: 1, Sequence: 100 * n})
		s.rx.Publish(&serialv1.SerialMessage{Epoch: 1, Sequence: n})
		s.sound.Publish(&mediav1.AudioFrame{Epoch: 1, Sequence: 2 * n})
	}
	r.await(t, "3 messages and 8 pieces of sound count", func(s *recorderv1.RecorderState) bool {
		return s.GetLostCount() == 11
	})
}
