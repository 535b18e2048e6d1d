package gateway_test

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/peer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakeslot"
)

// slot starts a device of the kind peer, named guest.
func (w *world) slot() *fakeslot.Slot {
	w.t.Helper()
	s, err := fakeslot.Start(w.bus.URL(), "demo", "guest")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Stop)
	return s
}

// sendUntil sends frames until ok, a key frame whenever one is needed, and returns those that were sent.
func sendUntil(w *world, p *peer.Publication, sequence *int64, ok func() bool) (sent []*mediav1.VideoFrame) {
	w.t.Helper()
	key := true
	w.eventually("what is sent arrives", func() bool {
		select {
		case <-p.KeyFrames():
			key = true
		default:
		}
		f := fakecam.Frame(5, *sequence, key, 3000)
		*sequence++
		switch err := p.Video(f); {
		case err == nil:
			sent, key = append(sent, f), false
		case errors.Is(err, peer.ErrKeyFrameNeeded):
			key = true
		}
		return ok()
	})
	return sent
}

// TestPeerSendsAPicture: what a Go peer sends arrives at the device as it is, key frames that are wished for are told,
// and sound too.
func TestPeerSendsAPicture(t *testing.T) {
	w := newWorld(t, nil)
	s := w.slot()
	ctx, robot := w.dial()
	p := robot.Publish(ctx, "guest", peer.PublishOptions{})
	defer p.Close()
	sequence := int64(0)
	sent := sendUntil(w, p, &sequence, func() bool { return len(s.Video) >= 5 })
	for range 5 {
		got := <-s.Video
		found := false
		for _, f := range sent {
			found = found || bytes.Equal(f.GetData(), got.GetData()) && f.GetKeyFrame() == got.GetKeyFrame()
		}
		if !found || got.GetFormat().GetMediaType() != "video/H264" {
			t.Errorf("%v with %d bytes was never sent", got.GetFormat(), len(got.GetData()))
		}
	}
	if who, _ := s.Publisher(); who.GetName() != "test" {
		t.Errorf("the publisher is %v", who)
	}
	w.eventually("the wish is heard", func() bool {
		s.WishKeyFrame()
		select {
		case <-p.KeyFrames():
			return true
		default:
			return false
		}
	})
	n := int64(0)
	w.eventually("sound arrives", func() bool {
		_ = p.Audio(&mediav1.AudioFrame{Epoch: 5, Sequence: n, SampleIndex: 960 * n, SampleCount: 960, Data: []byte{0x78, 1},
			Format: &mediav1.AudioFormat{MediaType: "audio/opus"}})
		n++
		return len(s.Audio) > 0
	})
	p.Close()
	w.eventually("the slot is free", func() bool { who, _ := s.Publisher(); return who == nil })
	if err := p.Video(fakecam.Frame(5, 0, true, 1000)); !errors.Is(err, peer.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	again := robot.Publish(ctx, "guest", peer.PublishOptions{})
	defer again.Close()
	for len(s.Video) > 0 {
		<-s.Video
	}
	sendUntil(w, again, &sequence, func() bool { return len(s.Video) > 0 })
}

// TestPeerSendsToATakenDevice: one sends at a time; another may take the device.
func TestPeerSendsToATakenDevice(t *testing.T) {
	w := newWorld(t, nil)
	s := w.slot()
	ctx, ann := w.dialAs("ann")
	first := ann.Publish(ctx, "guest", peer.PublishOptions{})
	defer first.Close()
	sequence := int64(0)
	sendUntil(w, first, &sequence, func() bool { return len(s.Video) > 0 })
	_, bob := w.dialAs("bob")
	second := bob.Publish(ctx, "guest", peer.PublishOptions{})
	defer second.Close()
	w.eventually("it is refused", func() bool {
		return status.Code(second.Video(fakecam.Frame(5, 0, true, 1000))) == codes.AlreadyExists
	})
	third := bob.Publish(ctx, "guest", peer.PublishOptions{Take: true})
	defer third.Close()
	second.Close()
	_, begun := s.Publisher()
	sendUntil(w, third, &sequence, func() bool { _, now := s.Publisher(); return now > begun })
	// The first learns it from the list of devices.
	names := []string{"one", "two", "three", "four"}
	w.cameras(names...)
	for _, name := range names { // wanting something else makes an offer, which keeps what can be kept
		if _, err := ann.Camera(name).Latest(ctx); err != nil {
			t.Errorf("%s, for the one who lost the device: %v", name, err)
		}
	}
	w.eventually("the first is refused", func() bool {
		return status.Code(first.Video(fakecam.Frame(5, 0, true, 1000))) == codes.AlreadyExists
	})
}

// TestWhatAPeerCannotSend: bad frames and devices that are none are errors that say so.
func TestWhatAPeerCannotSend(t *testing.T) {
	w := newWorld(t, nil)
	ctx, robot := w.dial()
	p := robot.Publish(ctx, "guest", peer.PublishOptions{})
	defer p.Close()
	raw := &mediav1.VideoFrame{Format: &mediav1.VideoFormat{MediaType: "video/raw"}, Data: []byte{1}}
	if err := p.Video(raw); status.Code(err) != codes.InvalidArgument {
		t.Errorf("raw: %v", err)
	}
	w.eventually("there is no such device", func() bool {
		return status.Code(p.Video(fakecam.Frame(5, 0, true, 1000))) == codes.NotFound
	})
	w.camera(fakecam.Config{})
	other := robot.Publish(ctx, "front", peer.PublishOptions{})
	defer other.Close()
	w.eventually("a camera is no peer", func() bool {
		switch status.Code(other.Video(fakecam.Frame(5, 0, true, 1000))) {
		case codes.NotFound, codes.FailedPrecondition, codes.InvalidArgument, codes.Unimplemented:
			return true
		}
		return false
	})
}
