package call

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/rtcbot"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 30 * time.Second

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func receive[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(timeout):
		t.Fatalf("not within %v: %s", timeout, what)
	}
	return v
}

// rig is a bus, and a caller to start.
type rig struct {
	t    *testing.T
	conn *bus.ConnCloser
	slot *slot.Slot
	told chan string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	server := must[*embedded.Server](t)(embedded.Start(embedded.Config{}))
	t.Cleanup(server.Close)
	r := &rig{t: t, told: make(chan string, 100)}
	r.conn = must[*bus.ConnCloser](t)(bus.Connect(bus.Config{URL: server.URL()}))
	t.Cleanup(r.conn.Close)
	r.slot = slot.New(slot.Config{Open: func(*peerv1.Publisher) slot.Sender { return nothing{} }})
	return r
}

// nothing is a sender that shows nothing.
type nothing struct{}

func (nothing) Video(*mediav1.VideoFrame) error { return nil }
func (nothing) Audio(*mediav1.AudioFrame)       {}
func (nothing) End(string)                      {}

// start calls a robot until the test ends.
func (r *rig) start(address string, patience time.Duration) {
	r.t.Helper()
	u := must[*url.URL](r.t)(url.Parse(address))
	c := must[*Caller](r.t)(New(Config{URL: u, Cameras: 2, Sound: true, Topic: "pi", Robot: "demo", Sender: "call-pi",
		Bus: r.conn.Conn, Slot: r.slot, Told: func(why string) { r.told <- why }}))
	c.patience = patience
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	r.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// robot answers calls, as a robot without cameras does that rejects the sections that it has no use for.
type robot struct {
	t       *testing.T
	pcs     chan *webrtc.PeerConnection
	heard   chan string
	opened  chan *webrtc.DataChannel
	mangled func(*sdp.SessionDescription)
}

func newRobot(t *testing.T) *robot {
	return &robot{t: t, pcs: make(chan *webrtc.PeerConnection, 10), heard: make(chan string, 10),
		opened: make(chan *webrtc.DataChannel, 10)}
}

// ServeHTTP implements [http.Handler].
func (r *robot) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	answer, err := r.answer(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(rtcbot.Description{SDP: answer, Type: rtcbot.Answer}) // the caller may have left
}

func (r *robot) answer(request *http.Request) (string, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return "", err
	}
	offer, err := rtcbot.ParseDescription(body, rtcbot.Offer)
	if err != nil {
		return "", err
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	r.t.Cleanup(func() { _ = pc.Close() }) // it may be closed
	pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		dc.OnMessage(func(m webrtc.DataChannelMessage) { r.heard <- string(m.Data) })
		dc.OnOpen(func() { r.opened <- dc })
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	r.pcs <- pc
	return r.mangle(pc.LocalDescription().SDP)
}

// mangle rejects all sections except that of data, as other stacks do.
func (r *robot) mangle(text string) (string, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return "", err
	}
	var candidates []sdp.Attribute
	for _, m := range d.MediaDescriptions {
		if m.MediaName.Media == "application" {
			m.Attributes = append(m.Attributes, candidates...)
			continue
		}
		for _, a := range m.Attributes {
			if a.IsICECandidate() {
				candidates = append(candidates, a)
			}
		}
		m.MediaName.Port.Value, m.Attributes = 0, nil
	}
	if r.mangled != nil {
		r.mangled(&d)
	}
	out, err := d.Marshal()
	return string(out), err
}

// TestRejectedSections: a robot that rejects video and audio is still on the topic, and called again when it hangs up.
func TestRejectedSections(t *testing.T) {
	r, pi := newRig(t), newRobot(t)
	site := httptest.NewServer(pi)
	t.Cleanup(site.Close)
	program := must[*bus.Subscription[*messagev1.Message]](t)(bus.Subscribe[*messagev1.Message](r.conn.Conn,
		bus.Topic("demo", "pi"), stream.DropOldest(10)))
	t.Cleanup(program.Close)
	r.start(site.URL, timeout)
	for range 2 {
		dc := receive(t, "the channel is open", pi.opened)
		if why := receive(t, "the caller tells", r.told); why != "" {
			t.Fatalf("there is no call: %s", why)
		}
		if err := r.conn.Publish(bus.Topic("demo", "pi"), &messagev1.Message{Topic: "pi", Sender: "me",
			Body: &messagev1.Message_Text{Text: "go"}}); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, "the robot hears", pi.heard); got != `"go"` {
			t.Errorf("the robot hears %s", got)
		}
		if err := dc.SendText(`{"x": NaN}`); err != nil {
			t.Fatal(err)
		}
		for { // what the test says comes too
			m, err := program.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if m.GetSender() != "me" {
				if m.GetSender() != "call-pi" || m.GetText() != `{"x": null}` {
					t.Errorf("on the topic is %v", m)
				}
				break
			}
		}
		_ = receive(t, "the robot's connection", pi.pcs).Close()
		if why := receive(t, "the caller tells", r.told); !strings.Contains(why, "the robot has closed") {
			t.Errorf("the call has ended: %s", why)
		}
	}
}

// TestRefusals: whatever a robot answers, the device says why there is no call, without its password.
func TestRefusals(t *testing.T) {
	answers := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body) // the caller may have left
		})
	}
	nowhere := newRobot(t)
	nowhere.mangled = func(d *sdp.SessionDescription) {
		for _, m := range d.MediaDescriptions {
			for i, a := range m.Attributes {
				if a.IsICECandidate() {
					m.Attributes[i].Key = "x"
				}
			}
		}
	}
	all := newRobot(t)
	all.mangled = func(d *sdp.SessionDescription) {
		for _, m := range d.MediaDescriptions {
			m.MediaName.Port.Value = 0
		}
	}
	fewer := newRobot(t)
	fewer.mangled = func(d *sdp.SessionDescription) { d.MediaDescriptions = d.MediaDescriptions[:2] }
	for name, tt := range map[string]struct {
		robot http.Handler
		want  string
	}{
		"an error":        {answers(500, "no tracks"), "500 Internal Server Error: no tracks: an RTCBot robot wants"},
		"no JSON":         {answers(200, "hello"), "send the JSON"},
		"an offer":        {answers(200, `{"sdp":"v=0","type":"offer"}`), `"offer" is not "answer"`},
		"garbage as SDP":  {answers(200, `{"sdp":"garbage","type":"answer"}`), "the answer cannot be used"},
		"huge":            {answers(200, strings.Repeat("x", maxAnswer+1)), "larger than"},
		"nowhere":         {nowhere, "no connection came up"},
		"all is rejected": {all, "data included"},
		"fewer sections":  {fewer, "not the sections of the offer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := httptest.NewServer(tt.robot)
			t.Cleanup(site.Close)
			r := newRig(t)
			limit := timeout
			if tt.robot == nowhere {
				limit = time.Second // it ends the wait for a connection
			}
			r.start(strings.Replace(site.URL, "://", "://me:secret@", 1), limit)
			why := receive(t, "the caller tells", r.told)
			for strings.Contains(why, context.DeadlineExceeded.Error()) { // a busy machine had no answer yet
				why = receive(t, "the caller tells again", r.told)
			}
			if !strings.Contains(why, tt.want) || strings.Contains(why, "secret") {
				t.Errorf("told %q, want %q", why, tt.want)
			}
		})
	}
}

// TestStage: the slot is asked for with the first frame, for all that come, again after it was lost, and given back.
func TestStage(t *testing.T) {
	r := newRig(t)
	s := newStage(Config{Slot: r.slot, URL: &url.URL{Host: "pi:8080"}})
	keys := make(chan struct{}, 10)
	if !s.first(func() { keys <- struct{}{} }) || s.first(func() {}) {
		t.Error("it is not the first track whose key frames are asked for")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.run(ctx)
	}()
	has := func(what string, name string) {
		t.Helper()
		deadline := time.Now().Add(timeout)
		for r.slot.Publisher().GetPublisher().GetName() != name {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %v", what, r.slot.Publisher())
			}
			s.video(&mediav1.VideoFrame{})
			s.audio(&mediav1.AudioFrame{})
			time.Sleep(time.Millisecond)
		}
	}
	has("frames come", "pi")
	receive(t, "a new publication needs a key frame", keys)
	r.slot.WantKeyFrame()
	receive(t, "a key frame is wished", keys)
	other := must[*peerv1.BeginResponse](t)(r.slot.Begin(&peerv1.Publisher{Name: "Ann"}, true))
	if err := r.slot.End(other.GetEpoch()); err != nil {
		t.Fatal(err)
	}
	has("Ann has left", "pi")
	cancel()
	<-done
	if who := r.slot.Publisher().GetPublisher(); who != nil {
		t.Errorf("at the end %v has the slot", who)
	}
}

// FuzzMend: no answer of a robot does harm.
func FuzzMend(f *testing.F) {
	section := func(media string, port int, more string) string {
		return fmt.Sprintf("m=%s %d UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n%s", media, port, more)
	}
	const head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
	offer := head + section("video", 9, "a=mid:0\r\na=rtpmap:96 VP8/90000\r\n") + section("application", 9, "a=mid:1\r\n")
	live := section("application", 9, "a=mid:1\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\n")
	f.Add(head + section("video", 0, "") + live)
	f.Add(head + live + live)
	f.Add(head + section("video", 0, "a=mid:9\r\n"))
	f.Add("garbage")
	f.Fuzz(func(t *testing.T, answer string) {
		mended, err := mend(offer, answer)
		if err != nil {
			return
		}
		var d sdp.SessionDescription
		if err := d.UnmarshalString(mended); err != nil {
			t.Fatalf("%q: %v", mended, err)
		}
		for _, m := range d.MediaDescriptions {
			if m.MediaName.Port.Value == 0 {
				t.Errorf("still rejected: %q", mended)
			}
		}
	})
}
