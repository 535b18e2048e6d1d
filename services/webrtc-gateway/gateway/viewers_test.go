package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

func TestManyViewersCostOneStream(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{})
	if cam.Published() != 0 {
		t.Error("frames were published before anybody looked")
	}
	var streams []*stream
	for range 10 {
		streams = append(streams, &stream{t: t, peer: w.watch()})
	}
	for i, s := range streams {
		if !s.frames(1) {
			t.Errorf("viewer %d: the first frame is not a key frame", i)
		}
		s.frames(5)
	}
	if n := cam.Holders(); n != 1 {
		t.Errorf("%d holds for ten viewers, want 1", n)
	}
	for _, s := range streams[1:] {
		if err := s.peer.Leave(context.Background()); err != nil {
			t.Error(err)
		}
	}
	streams[0].frames(5)
	if err := streams[0].peer.Close(); err != nil { // no word over HTTP: the end of the connection says it
		t.Error(err)
	}
	w.eventually("the stream is let go of", func() bool { return cam.Holders() == 0 })
	published := cam.Published()
	time.Sleep(150 * time.Millisecond)
	if got := cam.Published() - published; got > 1 {
		t.Errorf("%d frames were published for nobody", got)
	}
}

func TestLostPictureBringsAKeyFrame(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{})
	s := stream{t: t, peer: w.watch()}
	s.frames(15)
	before := cam.KeyRequests()
	for range 20 {
		if err := s.peer.LosePicture(s.last.SSRC); err != nil {
			t.Fatal(err)
		}
	}
	for !isKeyStart(s.next()) {
	}
	s.frames(10)
	if n := cam.KeyRequests() - before; n < 1 || n > 4 {
		t.Errorf("twenty complaints at once became %d requests, want a few", n)
	}
}

// An ICE restart keeps the connection, its keys and its track, and brings a key frame without being asked for one.
func TestICERestartKeepsTheTrack(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{})
	s := stream{t: t, peer: w.watch()}
	s.frames(5)
	for range 3 {
		before := cam.KeyRequests()
		if err := s.peer.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.eventually("a key frame is asked for", func() bool { return cam.KeyRequests() > before })
		s.repaired()
	}
	if got := w.get("metrics"); !strings.Contains(got, "waldo_gateway_peers_repaired_total 3") {
		t.Error("the repairs are not counted")
	}
}

func TestMissedPacketsComeAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{FrameBytes: 5000})
	s := stream{t: t, peer: w.watch()}
	s.frames(5)
	missed := *s.last
	if err := s.peer.Miss(missed.SSRC, missed.SequenceNumber); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	for {
		p, err := s.peer.Packet(ctx)
		if err != nil {
			t.Fatal("the packet did not come again: ", err)
		}
		if p.SequenceNumber == missed.SequenceNumber {
			if p.String() != missed.String() {
				t.Errorf("it came again as\n%v\nbut was\n%v", p, missed)
			}
			return
		}
	}
}

// watchOverTCP connects a peer that cannot use UDP.
func (w *world) watchOverTCP() *watcher.Watcher {
	w.t.Helper()
	peer, err := watcher.NewOverTCP(1000)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = peer.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	if err := peer.WHEP(ctx, w.base, "front"); err != nil {
		w.t.Fatal(err)
	}
	return peer
}

// flow waits for so many frames, whole or not: at this rate the far end's own buffers may lose packets on a busy
// machine.
func flow(t *testing.T, peer *watcher.Watcher, frames int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	for frames > 0 {
		p, err := peer.Packet(ctx)
		if err != nil {
			t.Fatal("no packet: ", err)
		}
		if p.Marker {
			frames--
		}
	}
}

// TestStalledViewer has one that reads nothing beside one that reads all, at a rate that fills every buffer between
// within seconds.
func TestStalledViewer(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{FrameBytes: 60_000, KeyFrameBytes: 60_000})
	stalled, good := w.watchOverTCP(), w.watchOverTCP()
	flow(t, stalled, 5)
	flow(t, good, 5)
	stalled.Stall()
	deadline := time.Now().Add(6 * watcher.Timeout)
	for strings.Contains(w.get("metrics"), `where="slow_viewer"} 0`) {
		if time.Now().After(deadline) {
			t.Fatal("no loss was counted for a viewer that reads nothing")
		}
		flow(t, good, 10)
	}
	flow(t, good, 60)
	ended := make(chan struct{})
	go func() { defer close(ended); w.gateway.Close() }()
	select {
	case <-ended:
	case <-time.After(watcher.Timeout):
		t.Fatal("the stalled one keeps the gateway from its end")
	}
}

func TestExtensions(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	s := stream{t: t, peer: w.watch()}
	p := s.next()
	var delay rtp.PlayoutDelayExtension
	var captured rtp.AbsCaptureTimeExtension
	found := 0
	for _, id := range p.GetExtensionIDs() {
		switch data := p.GetExtension(id); len(data) {
		case 3:
			found++
			if err := delay.Unmarshal(data); err != nil || delay.MinDelay != 0 || delay.MaxDelay != 0 {
				t.Errorf("playout delay %v (%v), want 0 to 0", delay, err)
			}
		case 8:
			found++
			if err := captured.Unmarshal(data); err != nil || time.Since(captured.CaptureTime()).Abs() > watcher.Timeout {
				t.Errorf("captured at %v (%v)", captured.CaptureTime(), err)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d of 2 header extensions on the first packet", found)
	}
}

func TestViewerBeforeTheCamera(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Devices = []robot.Device{{Name: "front", Kind: "camera"}} })
	peer := w.watch() // robot.yaml names it, but it is not there
	<-peer.Connected
	w.camera(fakecam.Config{})
	s := stream{t: t, peer: peer}
	if !s.frames(1) {
		t.Error("the first frame is not a key frame")
	}
}

func TestCameraThatCannotBeAsked(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{NeverOnRequest: true, KeyFrameEvery: 1000})
	first := stream{t: t, peer: w.watch()}
	first.frames(40)
	late := stream{t: t, peer: w.watch()}
	if !late.frames(1) {
		t.Error("the late viewer did not begin with the key frame")
	}
	late.frames(40)
	if n := cam.KeyRequests(); n != 0 {
		t.Errorf("%d key frames were asked of a camera that cannot make them", n)
	}
}

// TestDeadViewerIsReaped closes a viewer's port without a word.
func TestDeadViewerIsReaped(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a dead viewer is waited for")
	}
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{})
	s := stream{t: t, peer: w.watch()}
	s.frames(1)
	s.peer.Vanish()
	w.eventually("the dead viewer is given up", func() bool { return cam.Holders() == 0 })
}

func TestMetricsTellTheHop(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	s := stream{t: t, peer: w.watch()}
	s.frames(20)
	metrics := w.get("metrics")
	for _, name := range []string{
		`waldo_gateway_frame_hop_seconds_count{device="front"}`,
		`waldo_gateway_frame_capture_to_sent_seconds_count{device="front"}`,
		`waldo_gateway_viewers{device="front"} 1`, `waldo_gateway_peers 1`, `waldo_gateway_relays 1`,
	} {
		if !strings.Contains(metrics, name) {
			t.Errorf("/metrics has no %s", name)
		}
	}
}

func TestBusComesAndGoes(t *testing.T) {
	address := freeAddress(t)
	c := testConfig("nats://" + address)
	c.Devices = []robot.Device{{Name: "front", Kind: "camera"}}
	w := startWithoutBus(t, c)
	if health := w.get("healthz"); !strings.Contains(health, "degraded") {
		t.Errorf("without a bus: %s", health)
	}
	w.startBus(address)
	w.eventually("the gateway is well", func() bool { return strings.Contains(w.get("healthz"), `"ok"`) })
	w.camera(fakecam.Config{})
	s := stream{t: t, peer: w.watch()}
	s.frames(5)
	w.bus.Close()
	w.startBus(address)
	for !isKeyStart(s.next()) { // what was on its way, and then a new beginning on the same track
	}
	s.frames(20)
}

func TestPortsInUse(t *testing.T) {
	w := newWorld(t, nil)
	for name, change := range map[string]func(*config.Config){
		"gateway.http": func(c *config.Config) { c.Gateway.HTTP = strings.Trim(strings.TrimPrefix(w.base, "http:"), "/") },
		"gateway.ice":  func(c *config.Config) { c.Gateway.ICE = w.gateway.ICE() },
	} {
		c := testConfig(w.bus.URL())
		change(c)
		checkAddressError(t, name, c)
	}
}
