package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// session is a signalling session with a peer.
type session struct {
	t      *testing.T
	socket *socket
	peer   *watcher.Watcher
	offers int32
	secret []byte // of the connection
}

func (w *world) session(count int) *session { return w.sessionAs("", count) }

// sessionAs opens a session with a token.
func (w *world) sessionAs(token string, count int) *session {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	options := &websocket.DialOptions{HTTPHeader: http.Header{}}
	if token != "" {
		options.HTTPHeader.Set("Authorization", "Bearer "+token)
	}
	socket, _, err := websocket.Dial(ctx, w.base+"signal", options)
	if err != nil {
		w.t.Fatal(err)
	}
	peer, err := watcher.New(count, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = peer.Close() })
	return &session{t: w.t, socket: read(w.t, socket), peer: peer}
}

// negotiate makes an offer for the video of devices by mid, and takes the answer.
func (s *session) negotiate(o *webrtc.OfferOptions, devices map[string]string) string {
	s.t.Helper()
	var tracks []*signalingv1.Track
	for mid, device := range devices {
		tracks = append(tracks, &signalingv1.Track{Mid: mid, Device: device})
	}
	return s.negotiateTracks(o, tracks...)
}

// negotiateTracks makes an offer, and takes the answer.
func (s *session) negotiateTracks(o *webrtc.OfferOptions, tracks ...*signalingv1.Track) string {
	s.t.Helper()
	sdp, err := s.peer.Offer(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.offers++
	offer := &signalingv1.Offer{Id: s.offers, Sdp: sdp, Tracks: tracks, Connection: s.secret}
	data, err := protojson.Marshal(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Offer{Offer: offer}})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.socket.Write(context.Background(), websocket.MessageText, data); err != nil {
		s.t.Fatal(err)
	}
	answer := s.answer()
	if err := s.peer.Accept(answer); err != nil {
		s.t.Fatal(err)
	}
	return answer
}

func (s *session) answer() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	for {
		_, data, err := s.socket.Read(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		var m signalingv1.GatewayMessage
		if err := protojson.Unmarshal(data, &m); err != nil {
			s.t.Fatal(err)
		}
		switch {
		case m.GetError() != nil:
			s.t.Fatalf("refused: %v", m.GetError())
		case m.GetAnswer() != nil:
			s.secret = m.GetAnswer().GetConnection()
			return m.GetAnswer().GetSdp()
		}
	}
}

// sources reads packets until so many different tracks were seen, each beginning with a key frame.
func (s *session) sources(n int) []uint32 {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	var seen []uint32
	for len(seen) < n {
		p, err := s.peer.Packet(ctx)
		if err != nil {
			s.t.Fatalf("%d of %d tracks: %v", len(seen), n, err)
		}
		if !slices.Contains(seen, p.SSRC) {
			seen = append(seen, p.SSRC)
		}
	}
	slices.Sort(seen)
	return seen
}

// directions are what an answer says of its sections, in order.
func directions(sdp string) (list []string) {
	for line := range strings.Lines(sdp) {
		switch d := strings.TrimSpace(line); d {
		case "a=sendonly", "a=inactive", "a=sendrecv", "a=recvonly":
			list = append(list, strings.TrimPrefix(d, "a="))
		}
	}
	return list
}

func (w *world) cameras(names ...string) map[string]*fakecam.Camera {
	w.t.Helper()
	cams := make(map[string]*fakecam.Camera)
	for _, name := range names {
		cam, err := fakecam.Start(w.bus.URL(), bus.Address{Robot: "demo", Device: name}, fakecam.Config{})
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(cam.Stop)
		cams[name] = cam
		w.eventually("the gateway knows "+name,
			func() bool { return strings.Contains(w.get("devices"), fmt.Sprintf("%q", name)) })
	}
	return cams
}

func TestManyDevicesOnOneConnection(t *testing.T) {
	w := newWorld(t, nil)
	cams := w.cameras("front", "rear", "arm")
	s := w.session(3)
	answer := s.negotiate(nil, map[string]string{"0": "front", "2": "arm"}) // the middle one stays idle
	if got := fmt.Sprint(directions(answer)); got != "[sendonly inactive sendonly]" {
		t.Errorf("answer: %s", got)
	}
	first := s.sources(2)

	answer = s.negotiate(nil, map[string]string{"0": "front", "1": "rear", "2": "arm"}) // more
	if got := fmt.Sprint(directions(answer)); got != "[sendonly sendonly sendonly]" {
		t.Errorf("answer with one more: %s", got)
	}
	if all := s.sources(3); !slices.Contains(all, first[0]) || !slices.Contains(all, first[1]) {
		t.Errorf("tracks %v became %v", first, all)
	}

	s.negotiate(&webrtc.OfferOptions{ICERestart: true}, map[string]string{"0": "front", "1": "rear", "2": "arm"})
	if got := s.sources(3); !slices.Contains(got, first[0]) || !slices.Contains(got, first[1]) {
		t.Errorf("tracks after an ICE restart: %v, before %v", got, first)
	}

	s.negotiate(nil, map[string]string{"1": "rear"}) // fewer
	w.eventually("what is not shown is not held", func() bool {
		return cams["front"].Holders() == 0 &&
			cams["arm"].Holders() == 0
	})
	if cams["rear"].Holders() != 1 {
		t.Errorf("rear has %d holders, want 1", cams["rear"].Holders())
	}

	_ = s.socket.Close(websocket.StatusNormalClosure, "") // the session ends, and its connection with it
	w.eventually("the session's connection ends", func() bool { return cams["rear"].Holders() == 0 })
}

func TestSectionShowsAnotherDevice(t *testing.T) {
	w := newWorld(t, nil)
	cams := w.cameras("front", "rear")
	s := w.session(1)
	s.negotiate(nil, map[string]string{"0": "front"})
	track := stream{t: t, peer: s.peer}
	track.frames(10)
	s.negotiate(nil, map[string]string{"0": "rear"})
	w.eventually("rear is held instead of front", func() bool {
		return cams["front"].Holders() == 0 &&
			cams["rear"].Holders() == 1
	})
	for !isKeyStart(track.next()) {
	}
	for !track.last.Marker {
		track.next()
	}
	track.frames(20) // of the same track, unbroken
}

func TestIdleSectionIsUsedAgain(t *testing.T) {
	w := newWorld(t, nil)
	cams := w.cameras("front", "rear")
	s := w.session(1)
	s.negotiate(nil, map[string]string{"0": "front"})
	s.sources(1)
	if got := fmt.Sprint(directions(s.negotiate(nil, nil))); got != "[inactive]" {
		t.Errorf("answer: %s", got)
	}
	w.eventually("front is let go of", func() bool { return cams["front"].Holders() == 0 })
	if got := fmt.Sprint(directions(s.negotiate(nil, map[string]string{"0": "rear"}))); got != "[sendonly]" {
		t.Errorf("answer: %s", got)
	}
	w.eventually("rear is sent", func() bool {
		return strings.Contains(w.get("metrics"), `waldo_gateway_rtp_packets_total{device="rear"}`) &&
			!strings.Contains(w.get("metrics"), `waldo_gateway_rtp_packets_total{device="rear"} 0`)
	})
}
