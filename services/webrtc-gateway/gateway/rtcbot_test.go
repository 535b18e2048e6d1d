package gateway_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"github.com/waldo-robot/waldo/pkg/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakeslot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// client is a far end that offers as RTCBot does: a number of videos to receive, and the channel `default`.
func (w *world) client(videos int) (*watcher.Watcher, *webrtc.DataChannel) {
	w.t.Helper()
	far, err := watcher.New(videos, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = far.Close() }) // an error would lose nothing
	dc, err := far.PC.CreateDataChannel("default", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return far, dc
}

// post sends a body to a path, and returns status, type, and body of the response.
func (w *world) post(path, contentType, body string) (status int, kind, text string) {
	w.t.Helper()
	response, err := http.Post(w.base+path, contentType, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // only read
	data, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Content-Type"), string(data)
}

// description is the body of an offer.
func description(t *testing.T, sdp string) string {
	t.Helper()
	body, err := json.Marshal(rtcbot.Description{Type: "offer", SDP: sdp})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// call connects a client.
func (w *world) call(far *watcher.Watcher) (answer string) {
	w.t.Helper()
	offer, err := far.Offer(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	status, kind, body := w.post("connect", "text/plain;charset=UTF-8", description(w.t, offer))
	var d rtcbot.Description
	if status != http.StatusOK || kind != "application/json" || json.Unmarshal([]byte(body), &d) != nil ||
		d.Type != "answer" {
		w.t.Fatalf("%d %s: %s", status, kind, body)
	}
	if err := far.Accept(d.SDP); err != nil {
		w.t.Fatal(err)
	}
	return d.SDP
}

// TestConnectTwoClients: each speaks on the topic in its own way, and gets the camera in the first of its sections. A
// client that closes its channel is gone.
func TestConnectTwoClients(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	viewer, dc := w.client(20)
	if err := viewer.Take(webrtc.MimeTypeH264); err != nil { // an offer with all codecs is too long
		t.Fatal(err)
	}
	if answer := w.call(viewer); strings.Count(answer, "a=sendonly") != 1 || strings.Count(answer, "m=video") != 20 {
		t.Errorf("20 sections are answered with\n%s", answer)
	}
	other, otherChannel := w.client(0)
	heard := make(chan string, 100)
	dc.OnMessage(func(m webrtc.DataChannelMessage) { heard <- string(m.Data) })
	opened := make(chan struct{})
	otherChannel.OnOpen(func() { close(opened) })
	w.call(other)
	<-viewer.Connected
	if _, err := viewer.Packet(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-opened
	w.eventually("the viewer hears", func() bool {
		if err := otherChannel.SendText("plain"); err != nil {
			t.Fatal(err)
		}
		return len(heard) > 0
	})
	if got := <-heard; got != `"plain"` {
		t.Errorf("the viewer hears %s", got)
	}
	w.eventually("two peers", func() bool { return strings.Contains(w.get("metrics"), "waldo_gateway_peers 2\n") })
	if err := otherChannel.Close(); err != nil {
		t.Fatal(err)
	}
	w.eventually("one peer", func() bool { return strings.Contains(w.get("metrics"), "waldo_gateway_peers 1\n") })
}

// unknownCodec is a section that shares nothing with the gateway.
const unknownCodec = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 45\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=setup:actpass\r\n" +
	"a=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\n" +
	"a=fingerprint:sha-256 AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA" +
	"\r\na=rtpmap:45 AV1/90000\r\n"

// legacyData is the section of data that old browsers and aiortc offered.
const legacyData = "m=application 9 DTLS/SCTP 5000\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=setup:actpass\r\n" +
	"a=sctpmap:5000 webrtc-datachannel 65535\r\na=ice-ufrag:aaaa\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\n" +
	"a=fingerprint:sha-256 AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA" +
	"\r\n"

func TestConnectRefusesAndAccepts(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	planB := strings.Replace(unknownCodec, "AV1/90000", "H264/90000\r\na=fmtp:45 packetization-mode=1", 1)
	planB = strings.Replace(planB, "a=mid:0", "a=mid:video\r\na=ssrc:1 msid:a a\r\na=ssrc:2 msid:b b", 1)
	planB = strings.Replace(planB, "BUNDLE 0", "BUNDLE video", 1)
	withData := strings.Replace(unknownCodec, "BUNDLE 0", "BUNDLE 0 1", 1) + legacyData
	for _, tt := range []struct {
		name, path, body string
		status           int
		want             string // in the response
	}{
		{"garbage", "connect", "\x00\xff{", 400, "send the JSON of a session description"},
		{"nothing", "connect", "", 400, "send the JSON of a session description"},
		{"an array", "connect", "[]", 400, "send the JSON of a session description"},
		{"an answer", "connect", `{"type":"answer","sdp":"v=0"}`, 400, `"answer" is not "offer"`},
		{"no SDP", "connect", `{"type":"offer"}`, 400, "it is empty"},
		{"no SDP that can be read", "connect", `{"type":"offer","sdp":"hello"}`, 400, "not a session description"},
		{"huge", "connect", `{"sdp":"` + strings.Repeat("x", 300<<10), 413, "bytes are allowed"},
		{"a long SDP", "connect", description(t, strings.Repeat("x", 65<<10)), 400, "the limit is"},
		{"raw", "connect?raw=maybe", `{"type":"offer"}`, 400, "raw:"},
		{"a codec that nobody has, and no data", "connect", description(t, unknownCodec), 406, "H264/90000"},
		{"a codec that nobody has, with data", "connect", description(t, withData), 200, `"type":"answer"`},
		{"plan B", "connect", description(t, planB), 200, `m=video 9 UDP/TLS/RTP/SAVPF 45`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, _, body := w.post(tt.path, "application/json", tt.body)
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %.300s, want %d %s", status, body, tt.status, tt.want)
			}
		})
	}
}

// TestConnectToTheWrongCodec: a client that cannot show what the camera has still gets its data.
func TestConnectToTheWrongCodec(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	far, dc := w.client(1)
	if err := far.Take(webrtc.MimeTypeVP8); err != nil {
		t.Fatal(err)
	}
	opened := make(chan struct{})
	dc.OnOpen(func() { close(opened) })
	if answer := w.call(far); strings.Contains(answer, "a=sendonly") {
		t.Errorf("the answer is\n%s", answer)
	}
	<-opened
}

// TestTopicSocket: a WebSocket is on its topic with everyone else, in JSON.
func TestTopicSocket(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Gateway.Token = "secret" })
	open := func(path string) *websocket.Conn {
		t.Helper()
		socket, _, err := websocket.Dial(t.Context(), strings.Replace(w.base, "://", "://:secret@", 1)+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = socket.CloseNow() }) // closed already, unless the test failed
		return socket
	}
	one, other, raw := open("ws/chat"), open("ws/chat"), open("ws/chat?raw=1")
	open("ws/another")
	long := strings.Repeat("x", 20<<10)
	for _, tt := range []struct {
		kind              websocket.MessageType
		said, hears, read string
	}{
		{websocket.MessageText, `{"a":1}`, `{"a":1}`, `{"a":1}`},
		{websocket.MessageText, `hello`, `"hello"`, `hello`},
		{websocket.MessageText, long, strconv.Quote(long), long},
		{websocket.MessageBinary, "\x00\xff", "\x00\xff", "\x00\xff"},
	} {
		if err := one.Write(t.Context(), tt.kind, []byte(tt.said)); err != nil {
			t.Fatal(err)
		}
		for socket, want := range map[*websocket.Conn]string{other: tt.hears, raw: tt.read} {
			kind, data, err := socket.Read(t.Context())
			if err != nil || kind != tt.kind || !bytes.Equal(data, []byte(want)) {
				t.Errorf("%v %.100q, %v; want %.100q", kind, data, err, want)
			}
		}
	}
	if _, response, err := websocket.Dial(t.Context(), w.base+"ws/chat", nil); err == nil ||
		response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the token: %v", err)
	}
	_, response, err := websocket.Dial(t.Context(), strings.Replace(w.base, "://", "://:secret@", 1)+"ws/a.b", nil)
	if err == nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("an impossible topic: %v", err)
	}
}

// TestConnectPublishes: the section in which a client sees the camera also carries its own picture to the device for
// publishers, from the first packet on.
func TestConnectPublishes(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{})
	guest, err := fakeslot.Start(w.bus.URL(), "demo", "guest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guest.Stop)
	w.eventually("the gateway knows the slot", func() bool { return strings.Contains(w.get("devices"), `"microphone"`) })
	far, _ := w.client(0)
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "own", "own")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := far.PC.AddTrack(track); err != nil {
		t.Fatal(err)
	}
	if answer := w.call(far); !strings.Contains(answer, "a=sendrecv") {
		t.Errorf("the answer is\n%s", answer)
	}
	<-far.Connected
	if _, err := far.Packet(t.Context()); err != nil {
		t.Fatal(err)
	}
	if who, _ := guest.Publisher(); who != nil {
		t.Errorf("before it sends anything, %v publishes", who)
	}
	picture, err := os.ReadFile("../publish/testdata/key.h264")
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the slot shows the picture", func() bool {
		if err := track.WriteSample(media.Sample{Data: picture, Duration: 33 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		return len(guest.Video) > 0
	})
	if f := <-guest.Video; !f.GetKeyFrame() || f.GetFormat().GetMediaType() != webrtc.MimeTypeH264 {
		t.Errorf("the slot has %v", f)
	}
	if who, _ := guest.Publisher(); who.GetVia() != "rtcbot" || !strings.HasPrefix(who.GetName(), "peer-") ||
		!strings.HasPrefix(who.GetAddress(), "127.0.0.1:") || !strings.HasPrefix(who.GetProgram(), "Go-http-client") {
		t.Errorf("the publisher is %v", who)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	w.eventually("the place is free", func() bool { who, _ := guest.Publisher(); return who == nil })
}
