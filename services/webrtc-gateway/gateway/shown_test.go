package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// next reads until a message is of the wanted sort.
func (s *session) next(wanted func(*signalingv1.GatewayMessage) bool) *signalingv1.GatewayMessage {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	for {
		_, data, err := s.socket.Read(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		m := &signalingv1.GatewayMessage{}
		if err := protojson.Unmarshal(data, m); err != nil {
			s.t.Fatal(err)
		}
		if wanted(m) {
			return m
		}
	}
}

// show tells what the peer has shown.
func (s *session) show(videos ...*signalingv1.ShownVideo) {
	s.t.Helper()
	s.say(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Shown{Shown: &signalingv1.Shown{Videos: videos}}})
}

// TestPathAndShown: a peer is told of the path to it, and what it has shown becomes metrics, until it leaves.
func TestPathAndShown(t *testing.T) {
	w := newWorld(t, nil)
	w.cameras("front")
	s := w.session(1)
	isPath := func(m *signalingv1.GatewayMessage) bool { return m.GetPath() != nil }
	if p := s.next(isPath).GetPath(); len(p.GetVideos()) != 0 || p.GetRoundTripMs() != 0 {
		t.Errorf("before there is a connection: %v", p)
	}
	s.negotiate(nil, map[string]string{"0": "front"})
	s.sources(1)
	p := s.next(func(m *signalingv1.GatewayMessage) bool {
		videos := m.GetPath().GetVideos()
		return m.GetPath().GetRoundTripMs() > 0 && len(videos) > 0 && videos[0].GetBitrateBps() > 0
	}).GetPath()
	if v := p.GetVideos()[0]; len(p.GetVideos()) != 1 || v.GetDevice() != "front" || v.GetMid() != "0" ||
		v.GetStream() != "video" || time.Since(v.GetCaptureTime().AsTime()).Abs() > watcher.Timeout {
		t.Errorf("path: %v", p)
	}
	s.show(&signalingv1.ShownVideo{Device: "front", AgesMs: []float32{20, 30}, Count: 2, Freezes: 1},
		&signalingv1.ShownVideo{Device: "rear", AgesMs: []float32{20}, Count: 1})
	count := `waldo_gateway_shown_age_seconds_count{device="front",viewer="peer-`
	w.eventually("the ages are counted", func() bool {
		metrics := w.get("metrics")
		return strings.Contains(metrics, count) && strings.Contains(metrics, "waldo_gateway_round_trip_seconds_count{viewer=")
	})
	metrics := w.get("metrics")
	if strings.Contains(metrics, `device="rear",viewer`) {
		t.Error("a video that the peer is not sent is counted")
	}
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, count) && !strings.HasSuffix(line, " 2\n") {
			t.Errorf("counted: %s", line)
		}
	}
	s.show(&signalingv1.ShownVideo{Device: "front", AgesMs: []float32{-20}})
	refusal := s.next(func(m *signalingv1.GatewayMessage) bool { return m.GetError() != nil }).GetError()
	if refusal.GetCode() != "INVALID_ARGUMENT" || !strings.Contains(refusal.GetMessage(), "shown.videos[0].ages_ms") {
		t.Errorf("refused: %v", refusal)
	}
	_ = s.socket.CloseNow()
	w.eventually("the viewer is forgotten", func() bool { return !strings.Contains(w.get("metrics"), "viewer=") })
}

// TestShownWithoutWebRTC: what is shown by way of WebSockets is counted, too.
func TestShownWithoutWebRTC(t *testing.T) {
	w := newWorld(t, nil)
	w.cameras("front")
	s := w.session(0)
	s.next(func(m *signalingv1.GatewayMessage) bool { return len(m.GetDevices().GetDevices()) > 0 })
	s.show(&signalingv1.ShownVideo{Device: "front", AgesMs: []float32{20}},
		&signalingv1.ShownVideo{Device: "nobody", AgesMs: []float32{20}})
	w.eventually("the age is counted", func() bool {
		return strings.Contains(w.get("metrics"), `waldo_gateway_shown_age_seconds_count{device="front",viewer="session-`)
	})
	if strings.Contains(w.get("metrics"), `"nobody"`) {
		t.Error("a device that there is not is counted")
	}
	_ = s.socket.CloseNow()
	w.eventually("the viewer is forgotten", func() bool { return !strings.Contains(w.get("metrics"), "viewer=") })
}

// TestPeerTellsWhatItShows: a Go program reports the frames that it takes, and learns of the path to it.
func TestPeerTellsWhatItShows(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	ctx, robot := w.dial()
	next, stop := pull(robot.Camera("front").Frames(ctx, 8))
	defer stop()
	w.eventually("frames that it takes are counted, with their age", func() bool {
		if _, err := next(); err != nil {
			t.Fatal(err)
		}
		metrics := w.get("metrics")
		_, counted, ok := strings.Cut(metrics, `waldo_gateway_shown_age_seconds_bucket{device="front",viewer="peer-`)
		return ok && counted != "" && len(robot.Path().GetVideos()) == 1
	})
	if v := robot.Path().GetVideos()[0]; v.GetDevice() != "front" || v.GetStream() != "video" {
		t.Errorf("the path: %v", robot.Path())
	}
	robot.Close()
	w.eventually("the viewer is forgotten", func() bool { return !strings.Contains(w.get("metrics"), "viewer=") })
	if robot.Path() != nil {
		t.Errorf("a path to a robot that was closed: %v", robot.Path())
	}
}
