package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/pkg/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// guestToken is what programs present through the rendezvous server.
const guestToken = "what the guests know"

// answered is an answer to a request through a rendezvous server.
type answered struct {
	status int
	header http.Header
	body   string
	url    *url.URL
}

// ask sends a request with a token, if it is not empty, to a path below the link to the robot, or to a URL.
func (f *far) ask(method, path, token, contentType, body string) answered {
	f.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = f.link + path
	}
	r, err := http.NewRequestWithContext(f.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answered{response.StatusCode, response.Header, string(text), response.Request.URL}
}

// location is that of the session that was made.
func (a answered) location(t *testing.T) string {
	t.Helper()
	to, err := a.url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return to.String()
}

// checkSignature checks that an answer is the robot's.
func (f *far) checkSignature(a answered, offer, sdp string) {
	f.t.Helper()
	key, err := base64.RawURLEncoding.DecodeString(a.header.Get("Waldo-Key"))
	if err != nil || identity.Fingerprint(key) != f.key {
		f.t.Errorf("the answer has another key: %v", a.header)
	}
	signature, err := base64.RawURLEncoding.DecodeString(a.header.Get("Waldo-Signature"))
	if err != nil {
		f.t.Error(err)
	}
	offered, err := identity.DTLSFingerprint(offer)
	if err != nil {
		f.t.Fatal(err)
	}
	got, err := identity.DTLSFingerprint(sdp)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := identity.VerifyAnswer(key, signature, "demo", nil, offered, got); err != nil {
		f.t.Errorf("the answer is not signed: %v", err)
	}
}

// newGuests starts a robot with a camera that guests may watch.
func newGuests(t *testing.T, change func(*config.Config)) *far {
	t.Helper()
	f := newFarWith(t, change)
	cam, err := fakecam.Start(f.bus.URL(), bus.Address{Robot: "demo", Device: "front"}, fakecam.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Stop)
	f.knows("front")
	return f
}

// knows waits until the gateway knows a device or a stream.
func (f *far) knows(name string) {
	f.t.Helper()
	f.eventually("the gateway knows "+name, func() bool {
		return strings.Contains(f.ask(http.MethodGet, f.base+"devices", secret, "", "").body, `"`+name+`"`)
	})
}

func guestsMayCome(c *config.Config) { c.Gateway.Rendezvous.GuestToken = guestToken }

// TestGuestWatches: WHEP through the server, with the guest token and no other, from the POST to the DELETE.
func TestGuestWatches(t *testing.T) {
	f := newGuests(t, guestsMayCome)
	player, err := watcher.New(1, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = player.Close() }() // an error would lose nothing
	offer, err := player.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"none": "", "the robot's": secret, "a guess": "what the guests knew"} {
		if a := f.ask(http.MethodPost, "whep/front", token, "application/sdp", offer); a.status != http.StatusForbidden ||
			!strings.Contains(a.body, "gateway.rendezvous.guestToken") {
			t.Errorf("token: %s: %d %s", name, a.status, a.body)
		}
	}
	a := f.ask(http.MethodPost, "whep/front", guestToken, "application/sdp", offer)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	f.checkSignature(a, offer, a.body)
	if err := player.Accept(a.body); err != nil {
		t.Fatal(err)
	}
	<-player.Connected
	if _, err := player.Packet(t.Context()); err != nil {
		t.Fatal(err)
	}
	session := a.location(t)
	if !strings.HasPrefix(session, f.link+"whep/front/") {
		t.Errorf("the session is at %s", session)
	}
	if p := f.ask(http.MethodPatch, session, "", "application/trickle-ice-sdpfrag", "a=end-of-candidates\r\n"); p.status !=
		http.StatusNoContent {
		t.Errorf("PATCH: %d %s", p.status, p.body)
	}
	if d := f.ask(http.MethodDelete, session, "", "", ""); d.status != http.StatusOK {
		t.Errorf("DELETE: %d %s", d.status, d.body)
	}
	if d := f.ask(http.MethodDelete, session, "", "", ""); d.status != http.StatusNotFound {
		t.Errorf("DELETE again: %d %s", d.status, d.body)
	}
}

// TestGuestConnects: a client of RTCBot through the server.
func TestGuestConnects(t *testing.T) {
	f := newGuests(t, guestsMayCome)
	client, dc := f.client(1)
	opened := make(chan struct{})
	dc.OnOpen(func() { close(opened) })
	said := callAsGuest(t, client)
	offer, err := client.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	body := description(t, offer)
	if a := f.ask(http.MethodPost, "connect", "", "text/plain", body); a.status != http.StatusForbidden {
		t.Errorf("without a token: %d %s", a.status, a.body)
	}
	a := f.ask(http.MethodPost, "connect", guestToken, "text/plain", body)
	var d rtcbot.Description
	if err := json.Unmarshal([]byte(a.body), &d); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	f.checkSignature(a, offer, d.SDP)
	if err := client.Accept(d.SDP); err != nil {
		t.Fatal(err)
	}
	<-opened
	if _, err := client.Packet(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-said; !strings.Contains(got, "PERMISSION_DENIED") || !strings.Contains(got, "guest token") {
		t.Errorf("a call with the guest token is answered with %s", got)
	}
}

// callAsGuest opens the channel for calls, calls a device, and returns where what is said about it goes.
func callAsGuest(t *testing.T, client *watcher.Watcher) <-chan string {
	t.Helper()
	dc, err := client.PC.CreateDataChannel("waldo.calls", nil)
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 10)
	dc.OnMessage(func(m webrtc.DataChannelMessage) { said <- string(m.Data) })
	dc.OnOpen(func() {
		// It may be refused already.
		_ = dc.SendText(`{"id": 1, "device": "front", "method": "waldo.device.v1.DeviceService/GetDevice", "request": {}}`)
	})
	return said
}

// TestGuestSends: WHIP through the server.
func TestGuestSends(t *testing.T) {
	f := newGuests(t, guestsMayCome)
	slot := f.slot()
	f.knows("microphone")
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }() // an error would lose nothing
	picture, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "v", "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pc.AddTrack(picture); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	if a := f.ask(http.MethodPost, "whip/guest", secret, "application/sdp", offer.SDP); a.status != http.StatusForbidden {
		t.Errorf("with the robot's token: %d %s", a.status, a.body)
	}
	a := f.ask(http.MethodPost, "whip/guest", guestToken, "application/sdp", offer.SDP)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	f.checkSignature(a, offer.SDP, a.body)
	if who, _ := slot.Publisher(); who == nil || !strings.Contains(who.GetVia(), "whip") {
		t.Errorf("the publisher is %v", who)
	}
	if d := f.ask(http.MethodDelete, a.location(t), "", "", ""); d.status != http.StatusOK {
		t.Errorf("DELETE: %d %s", d.status, d.body)
	}
}

// TestNoGuests: without a guest token nobody is one, and what else there is stays on the robot's network.
func TestNoGuests(t *testing.T) {
	f := newGuests(t, nil)
	for _, path := range []string{"whep/front", "whip/guest", "connect", "devices", "metrics", "snapshot/front.jpg",
		"picture/front", "ws/topic"} {
		method := http.MethodGet
		if strings.HasPrefix(path, "wh") || path == "connect" {
			method = http.MethodPost
		}
		tokens := []string{"", secret, guestToken}
		if path == "whip/guest" || path == "connect" { // wrong tokens are slowed down
			tokens = tokens[:1]
		}
		for _, token := range tokens {
			if a := f.ask(method, path, token, "application/sdp", "v=0"); a.status != http.StatusForbidden {
				t.Errorf("%s with token %q: %d %s", path, token, a.status, a.body)
			}
		}
	}
}
