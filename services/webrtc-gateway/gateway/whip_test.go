package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakeslot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// guest starts the device `guest`, and waits until the gateway knows of it.
func (w *world) guest() *fakeslot.Slot {
	w.t.Helper()
	s := w.slot()
	w.eventually("the gateway knows the slot", func() bool { return strings.Contains(w.get("devices"), `"microphone"`) })
	return s
}

// sender is a client that sends a key frame 25 times a second, and sound.
type sender struct {
	t         *testing.T
	pc        *webrtc.PeerConnection
	location  string
	etag      string
	keysAsked chan struct{}
}

func (w *world) sender() *sender {
	w.t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		w.t.Fatal(err)
	}
	s := &sender{t: w.t, pc: pc, keysAsked: make(chan struct{}, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 3)
	w.t.Cleanup(func() {
		cancel()
		_ = pc.Close()
		for range cap(done) {
			<-done
		}
	})
	video := s.track(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90_000,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}, done)
	audio := s.track(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48_000, Channels: 2}, done)
	key, err := os.ReadFile("../publish/testdata/key.h264")
	if err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer func() { done <- struct{}{} }()
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			_ = video.WriteSample(media.Sample{Data: key, Duration: 40 * time.Millisecond})
			_ = audio.WriteSample(media.Sample{Data: []byte{0x78, 1, 2}, Duration: 20 * time.Millisecond})
		}
	}()
	return s
}

// track adds a track, and reads what is said of it.
func (s *sender) track(c webrtc.RTPCodecCapability, done chan<- struct{}) *webrtc.TrackLocalStaticSample {
	s.t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(c, strings.ReplaceAll(c.MimeType, "/", "-"), "camera")
	if err != nil {
		s.t.Fatal(err)
	}
	transceiver, err := s.pc.AddTransceiverFromTrack(track,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			packets, _, err := transceiver.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if _, ok := p.(*rtcp.PictureLossIndication); ok {
					select {
					case s.keysAsked <- struct{}{}:
					default:
					}
				}
			}
		}
	}()
	return track
}

// offer returns a complete offer, as clients that do not trickle send it.
func (s *sender) offer() string {
	s.t.Helper()
	offer, err := s.pc.CreateOffer(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(offer); err != nil {
		s.t.Fatal(err)
	}
	<-gathered
	return s.pc.LocalDescription().SDP
}

func (s *sender) accept(answer string) {
	s.t.Helper()
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		s.t.Fatal(err)
	}
}

// request makes a request to the gateway.
func (w *world) request(method, path, contentType, body string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "OBS-Studio/31.0.0 (Linux)")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response, string(text)
}

// publish publishes by WHIP, and returns the answer.
func (w *world) publish(s *sender, path string) string {
	w.t.Helper()
	response, answer := w.request(http.MethodPost, path, "application/sdp", s.offer())
	if response.StatusCode != http.StatusCreated {
		w.t.Fatalf("POST %s: %s: %s", path, response.Status, answer)
	}
	s.location, s.etag = response.Header.Get("Location"), response.Header.Get("ETag")
	if s.location == "" || s.etag == "" || response.Header.Get("Content-Type") != "application/sdp" {
		w.t.Errorf("POST %s: %v", path, response.Header)
	}
	s.accept(answer)
	return answer
}

func (w *world) sends(s *fakeslot.Slot, name string) {
	w.t.Helper()
	for deadline := time.After(watcher.Timeout); ; {
		select {
		case f := <-s.Video:
			if who, _ := s.Publisher(); f.GetKeyFrame() && who.GetName() == name {
				return
			}
		case <-deadline:
			who, _ := s.Publisher()
			w.t.Fatalf("no frame of %s; %v has the slot", name, who)
		}
	}
}

func TestWHIP(t *testing.T) {
	w := newWorld(t, nil)
	slot := w.guest()
	s := w.sender()
	answer := w.publish(s, "whip/guest?name=Ann")
	w.sends(slot, "Ann")
	select {
	case f := <-slot.Audio:
		if f.GetTalker() != "Ann" || f.GetSampleCount() != 960 {
			t.Errorf("sound %v", f)
		}
	case <-time.After(watcher.Timeout):
		t.Error("no sound")
	}
	who, _ := slot.Publisher()
	if who.GetProgram() != "OBS-Studio/31.0.0" || who.GetVia() != "whip" ||
		!strings.HasPrefix(who.GetAddress(), "127.0.0.1:") {
		t.Errorf("%v sends", who)
	}
	// the first candidate is the address that the request came to, by UDP
	_, first, _ := strings.Cut(answer, "a=candidate:")
	if fields := strings.Fields(first); len(fields) < 5 || fields[2] != "udp" || fields[4] != "127.0.0.1" {
		t.Errorf("the first candidate is %.100q", first)
	}
	for _, want := range []string{"a=recvonly", " goog-remb", "nack pli", "opus/48000"} {
		if !strings.Contains(answer, want) {
			t.Errorf("the answer has no %q:\n%s", want, answer)
		}
	}
	w.eventually("the wishes are heard", slot.Wished)
	slot.WishKeyFrame()
	select {
	case <-s.keysAsked:
	case <-time.After(watcher.Timeout):
		t.Error("no PLI")
	}
	if response, text := w.request(http.MethodDelete, "whip/"+s.location, "", ""); response.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %s: %s", response.Status, text)
	}
	w.eventually("the slot is free", func() bool { who, _ := slot.Publisher(); return who == nil })
}

func TestWHIPForOne(t *testing.T) {
	w := newWorld(t, nil)
	slot := w.guest()
	ann, bob := w.sender(), w.sender()
	w.publish(ann, "whip/guest?name=Ann")
	w.sends(slot, "Ann")
	response, text := w.request(http.MethodPost, "whip/guest?name=Bob", "application/sdp", bob.offer())
	if response.StatusCode != http.StatusConflict || !strings.Contains(text, "Ann has the slot") ||
		!strings.Contains(text, "?take") {
		t.Errorf("Bob gets %s: %s", response.Status, text)
	}
	response, text = w.request(http.MethodPost, "whip/guest?take&name=Bob", "application/sdp",
		bob.pc.LocalDescription().SDP)
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("Bob gets %s: %s", response.Status, text)
	}
	bob.accept(text)
	w.sends(slot, "Bob")
}

// A publication that the device ends ends its connection.
func TestWHIPIsEndedByTheDevice(t *testing.T) {
	w := newWorld(t, nil)
	slot := w.guest()
	s := w.sender()
	w.publish(s, "whip/guest")
	<-slot.Video
	w.eventually("the wishes are heard", slot.Wished)
	slot.Throw("this cannot be shown")
	w.eventually("the session has ended", func() bool {
		response, _ := w.request(http.MethodDelete, "whip/"+s.location, "", "")
		return response.StatusCode == http.StatusNotFound
	})
}

func TestWHIPErrors(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	w.guest()
	s := w.sender()
	offer := s.offer()
	only := func(codec string) string { // the offer with another codec than H.264
		return strings.NewReplacer("H264/90000", codec+"/90000", "VP8/90000", codec+"/90000").Replace(offer)
	}
	for name, tt := range map[string]struct {
		path, contentType, offer string
		status                   int
		want                     string
	}{
		"no such device": {"whip/nobody", "application/sdp", offer, 404, "guest: {kind: peer}"},
		"a camera":       {"whip/front", "application/sdp", offer, 406, "guest: {kind: peer}"},
		"JSON":           {"whip/guest", "application/json", "{}", 415, "application/sdp"},
		"nothing":        {"whip/guest", "application/sdp", "", 400, "empty"},
		"no section sends": {"whip/guest", "application/sdp", strings.ReplaceAll(offer, "sendonly", "recvonly"), 400,
			"direction sendonly"},
		"a long name": {"whip/guest?name=" + strings.Repeat("a", 65), "application/sdp", offer, 400, "64 characters"},
		"another codec": {"whip/guest", "application/sdp",
			strings.ReplaceAll(only("AV2"), "opus/", "speex/"), 406, "AV2/90000"},
		"too large": {"whip/guest", "application/sdp", strings.Repeat("a", 70_000), 413, "too large"},
	} {
		response, text := w.request(http.MethodPost, tt.path, tt.contentType, tt.offer)
		if response.StatusCode != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %s: %s", name, response.Status, text)
		}
	}
	if response, _ := w.request(http.MethodOptions, "whip/guest", "",
		""); response.Header.Get("Accept-Post") != "application/sdp" {
		t.Errorf("OPTIONS: %v", response.Header)
	}
}

// A session sends a camera's picture, stops, and takes the slot from another.
func TestASessionShares(t *testing.T) {
	w := newWorld(t, nil)
	slot := w.guest()
	share := func(s *sender, id int32, take bool, tracks ...string) (*session, string) {
		n := w.session(0)
		var wanted []*signalingv1.Track
		for mid, stream := range tracks {
			wanted = append(wanted,
				&signalingv1.Track{Mid: fmt.Sprint(mid), Device: "guest", Stream: stream, Talker: "Ann", Take: take})
		}
		offer := &signalingv1.Offer{Id: id, Sdp: s.offer(), Tracks: wanted}
		data, err := protojson.Marshal(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Offer{Offer: offer}})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.socket.Write(t.Context(), websocket.MessageText, data); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
		defer cancel()
		for {
			_, data, err := n.socket.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var m signalingv1.GatewayMessage
			if err := protojson.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
			if m.GetAnswer() != nil || m.GetError() != nil {
				return n, m.GetAnswer().GetSdp() + m.GetError().GetMessage()
			}
		}
	}
	first := w.sender()
	n, answer := share(first, 1, false, "camera", "microphone")
	first.accept(answer)
	w.sends(slot, "Ann")
	<-slot.Audio
	if _, text := share(w.sender(), 1, false, "camera"); !strings.Contains(text, "Ann has the slot") {
		t.Errorf("the second one gets %s", text)
	}
	third := w.sender()
	_, answer = share(third, 1, true, "camera")
	third.accept(answer)
	w.eventually("it is taken", func() bool { _, begun := slot.Publisher(); return begun == 2 })
	w.sends(slot, "Ann")
	_ = n.socket.Close(1000, "")
	w.sends(slot, "Ann") // of the third one
}
