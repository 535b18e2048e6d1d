package gateway_test

import (
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/peer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/gateway"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakeslot"
)

// giveTo gives the slot to somebody, as if through something other than the gateway.
func giveTo(t *testing.T, s *fakeslot.Slot, name string) {
	t.Helper()
	_, err := s.Begin(t.Context(), &peerv1.BeginRequest{Publisher: &peerv1.Publisher{Name: name}, Take: true})
	if err != nil {
		t.Fatal(err)
	}
}

// refusedBecauseTaken waits until a publication is refused because somebody else sends.
func refusedBecauseTaken(w *world, p *peer.Publication) {
	w.t.Helper()
	w.eventually("it is refused", func() bool {
		switch err := p.Video(fakecam.Frame(5, 0, true, 1000)); status.Code(err) {
		case codes.AlreadyExists:
			return true
		case codes.OK, codes.Unavailable, codes.NotFound: // not yet; the device may not be known either
		default:
			if !errors.Is(err, peer.ErrKeyFrameNeeded) {
				w.t.Fatal(err)
			}
		}
		return false
	})
}

// TestPublicationAfterALostConnection: one that had the device asks for it again and takes it from nobody, whether it
// took the device at first or not.
func TestPublicationAfterALostConnection(t *testing.T) {
	for _, tt := range []struct {
		name   string
		take   bool
		holder string // who has the device when the connection is back
		leaves bool   // the holder does, after a while
		over   bool   // the publication is
	}{
		{"the device is free", true, "", false, false},
		{"its own of before still has it", true, "ann", true, false},
		{"somebody else has it", true, "bob", false, true},
		{"somebody else has it, and it was free before", false, "bob", false, true},
		{"another of the same name has it", true, "ann", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			publishThroughALoss(t, tt.take, tt.holder, tt.leaves, tt.over)
		})
	}
}

func publishThroughALoss(t *testing.T, take bool, holder string, leaves, over bool) {
	t.Helper()
	var c *config.Config
	w := newWorld(t, func(configured *config.Config) {
		configured.Gateway.HTTP, configured.Gateway.ICE = freeAddress(t), freeAddress(t)
		c = configured
	})
	s := w.slot()
	ctx, ann := w.dialAs("ann")
	if take {
		giveTo(t, s, "somebody before")
	}
	p := ann.Publish(ctx, "guest", peer.PublishOptions{Take: take})
	defer p.Close()
	sequence := int64(0)
	sendUntil(w, p, &sequence, func() bool { return len(s.Video) > 0 })

	w.gateway.Close()
	if holder != "" {
		giveTo(t, s, holder)
	}
	_, given := s.Publisher()
	for len(s.Video) > 0 {
		<-s.Video
	}
	var err error
	if w.gateway, err = gateway.Start(c, "test", nil, testLog(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.gateway.Close)
	if leaves {
		// The gateway asks for the first time when the device is listed, and is refused.
		w.eventually("it is refused at first", func() bool { return s.Refused() >= 2 })
		s.Throw("silence")
	}
	if !over {
		sendUntil(w, p, &sequence, func() bool { return len(s.Video) > 0 })
		return
	}
	refusedBecauseTaken(w, p)
	s.Throw("the holder leaves")
	again := ann.Publish(ctx, "guest", peer.PublishOptions{})
	defer again.Close()
	sendUntil(w, again, &sequence, func() bool { return len(s.Video) > 0 })
	if err := p.Video(fakecam.Frame(5, 0, true, 1000)); status.Code(err) != codes.AlreadyExists {
		t.Errorf("the publication that was over: %v", err)
	}
	if _, now := s.Publisher(); now != given+1 {
		t.Errorf("the device was given away %d times", now-given)
	}
}

// TestManyRefusals: what was refused does not use up the connection, which has 60 sections.
func TestManyRefusals(t *testing.T) {
	w := newWorld(t, nil)
	s := w.slot()
	ann, err := peer.Dial(t.Context(), w.base, peer.Options{Name: "ann", Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer ann.Close()
	giveTo(t, s, "bob")
	for range 100 {
		p := ann.Publish(t.Context(), "guest", peer.PublishOptions{})
		refusedBecauseTaken(w, p)
		p.Close()
	}
	s.Throw("bob leaves")
	p := ann.Publish(t.Context(), "guest", peer.PublishOptions{})
	defer p.Close()
	sequence := int64(0)
	sendUntil(w, p, &sequence, func() bool { return len(s.Video) > 0 })
}
