package recorder_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/services/recorder/recorder"
)

// TestPreroll: a recording begins before it was started, with a key frame.
func TestPreroll(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.Preroll, c.KeyFrames = 2*time.Second, 500*time.Millisecond })
	r.record(t)
	var pictures []message
	until(t, "a recording begins half a second before its start", func() bool {
		r.await(t, "there is a pre-roll", func(s *recorderv1.RecorderState) bool {
			return idle(s) && s.GetPreroll().AsDuration() >= time.Second
		})
		before := time.Now()
		r.begin(t)
		all, _ := r.read(t, r.end(t).GetName())
		pictures = on(all, "/front/video")
		r.checkPictures(t, pictures)
		return before.Sub(pictures[0].logged) >= 500*time.Millisecond // unless the machine stood still just before
	})
	var first mediav1.VideoFrame
	if err := proto.Unmarshal([]byte(pictures[0].data), &first); err != nil || !first.GetKeyFrame() {
		t.Errorf("it does not begin with a key frame: %v", err)
	}
	if r.camera.asked.Load() < 2 {
		t.Error("no key frames were asked for")
	}
}

// TestDriven: it is recorded while somebody drives.
func TestDriven(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.When, c.After = "driven", 0 })
	r.record(t)
	r.await(t, "nobody drives", idle)
	drive := func(holder string) {
		r.camera.state.Store(&controlv1.ControlState{Epoch: r.camera.epoch, Holder: holder})
	}
	drive("anna")
	if s := r.await(t, "somebody drives", recording); s.GetStartedBy() != "drive" {
		t.Errorf("%v", s)
	}
	drive("")
	r.await(t, "nobody drives any more", idle)
	drive("ben")
	r.await(t, "somebody drives again", recording)
	r.end(t)
	r.await(t, "the rest of the drive is not recorded", idle)
	tries := 0
	r.await(t, "the next drive", func(s *recorderv1.RecorderState) bool {
		drive([]string{"", "ben"}[tries/10%2]) // a drive that ends, and another one, until both were heard
		tries++
		return recording(s)
	})
}

// TestEStop: what came before an e-stop is recorded, and what comes after it for a time.
func TestEStop(t *testing.T) {
	r := start(t, func(c *recorder.Config) { c.OnEStop, c.Preroll, c.After = true, 20*time.Second, 500*time.Millisecond })
	r.record(t)
	r.await(t, "there is a pre-roll",
		func(s *recorderv1.RecorderState) bool { return s.GetPreroll().AsDuration() >= 500*time.Millisecond })
	r.camera.state.Store(&controlv1.ControlState{Epoch: r.camera.epoch,
		EStop: &controlv1.EStop{Id: 5, PressTime: timestamppb.Now()}})
	if s := r.await(t, "it records", recording); s.GetStartedBy() != "e-stop" {
		t.Errorf("%v", s)
	}
	r.await(t, "that ends by itself", idle)
	files := r.files(t, ".mcap")
	if len(files) != 1 {
		t.Fatalf("%v", files)
	}
	all, _ := r.read(t, files[0])
	var before, after int
	for _, m := range on(all, "/front/control") {
		var s controlv1.ControlState
		if err := proto.Unmarshal([]byte(m.data), &s); err != nil {
			t.Fatal(err)
		}
		if s.GetEStop() == nil {
			before++
		} else {
			after++
		}
	}
	if before == 0 || after == 0 { // how many depends on when programs get a CPU
		t.Errorf("%d states before, %d after", before, after)
	}
}
