package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/lease"
	"github.com/waldo-robot/waldo/pkg/peer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/gateway"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// TestPeerOverARestartOfTheGateway: everything goes on by itself, except a lease, and the peer says what happens.
func TestPeerOverARestartOfTheGateway(t *testing.T) {
	var c *config.Config
	w := newWorld(t, func(configured *config.Config) {
		configured.Gateway.HTTP, configured.Gateway.ICE = freeAddress(t), freeAddress(t)
		c = configured
	})
	w.camera(fakecam.Config{})
	w.motors()
	ctx, robot := w.dial()
	states, stopStates := pull(withoutErrors(robot.States(ctx)))
	defer stopStates()
	if s, err := states(); err != nil || s.State != peer.Live {
		t.Fatal(s, err)
	}
	frames, stopFrames := pull(robot.Camera("front").Frames(ctx, 8))
	defer stopFrames()
	control, stopControl := pull(peer.Read[controlv1.ControlState](ctx, robot.Stream("motors", "control"), 1))
	defer stopControl()
	l, err := lease.Acquire(ctx, robot.Device("motors"), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := decodable{t: t}
	for range 5 {
		f, err := frames()
		if err != nil {
			t.Fatal(err)
		}
		d.see(f)
	}
	if s, err := control(); err != nil || s.GetSafeJson() == "" {
		t.Fatal(s, err)
	}

	w.gateway.Close()
	if w.gateway, err = gateway.Start(c, "test", nil, testLog(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.gateway.Close)
	var seen []peer.State
	for !slices.Equal(seen, []peer.State{peer.Lost, peer.Live}) {
		s, err := states()
		if err != nil {
			t.Fatal(seen, err)
		}
		switch {
		case s.State == peer.Stale || len(seen) > 0 && s.State == seen[len(seen)-1]:
		default:
			seen = append(seen, s.State)
		}
		if s.State != peer.Live && s.Reason == "" {
			t.Errorf("%s without a reason", s)
		}
	}
	for range 20 {
		f, err := frames()
		if err != nil {
			t.Fatal(err)
		}
		d.see(f)
	}
	for range 20 { // what was queued, and then what is new
		if _, err := control(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Header(ctx); !errors.Is(err, lease.ErrLost) {
		for err == nil && ctx.Err() == nil {
			_, err = l.Header(ctx)
			time.Sleep(10 * time.Millisecond)
		}
		if !errors.Is(err, lease.ErrLost) {
			t.Errorf("the lease of before: %v", err)
		}
	}
}

// withoutErrors makes a loop without errors one with them.
func withoutErrors[T any](loop func(func(T) bool)) func(func(T, error) bool) {
	return func(yield func(T, error) bool) {
		loop(func(v T) bool { return yield(v, nil) })
	}
}

// TestCallsOfAPeer: calls are those of gRPC, with the same errors.
func TestCallsOfAPeer(t *testing.T) {
	w := newWorld(t, nil)
	w.motors()
	ctx, robot := w.dial()
	device := devicev1.NewDeviceServiceClient(robot.Device("motors"))
	r, err := device.GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil || r.GetDevice().GetName() != "motors" {
		t.Fatal(r, err)
	}
	if list := robot.Devices(); len(list) != 1 || list[0].GetDevice().GetEpoch() != r.GetDevice().GetEpoch() {
		t.Errorf("devices: %v", list)
	}
	if name := robot.Welcome().GetRobot(); name != "demo" {
		t.Errorf("the robot is %q", name)
	}
	if _, err := device.HoldStream(ctx, &devicev1.HoldStreamRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a call that peers may not make: %v", err)
	}
	_, err = devicev1.NewDeviceServiceClient(robot.Device("engines")).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a device that is not there: %v", err)
	}
	_, err = controlv1.NewControlServiceClient(robot.Device("motors")).WatchControl(ctx, &controlv1.WatchControlRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("a stream: %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := device.GetDevice(canceled, &devicev1.GetDeviceRequest{}); status.Code(err) != codes.Canceled {
		t.Errorf("a canceled call: %v", err)
	}
	robot.Close()
	if _, err := device.GetDevice(ctx, &devicev1.GetDeviceRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a call of a closed robot: %v", err)
	}
}

// TestLeaseOfAPeer: one driver at a time, whether peer or not.
func TestLeaseOfAPeer(t *testing.T) {
	w := newWorld(t, nil)
	w.motors()
	ctx, ann := w.dial()
	_, bob := w.dial()
	l, err := lease.Acquire(ctx, ann.Device("motors"), "Ann")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := lease.Acquire(ctx, bob.Device("motors"), "Bob"); status.Code(err) != codes.FailedPrecondition &&
		status.Code(err) != codes.AlreadyExists {
		t.Errorf("a second lease: %v", err)
	}
	taken, err := lease.Take(ctx, bob.Device("motors"), "Bob", "")
	if err != nil {
		t.Fatal(err)
	}
	for err == nil && ctx.Err() == nil { // until it is known to be lost
		_, err = l.Header(ctx)
		time.Sleep(10 * time.Millisecond)
	}
	if !errors.Is(err, lease.ErrLost) {
		t.Errorf("the lease that was taken: %v", err)
	}
	header, err := taken.Header(ctx)
	if err != nil || header.GetHeard().AsDuration() <= 0 || header.GetLife().AsDuration() > time.Second {
		t.Errorf("header %v, %v", header, err)
	}
	taken.Close()
	again, err := lease.Acquire(ctx, ann.Device("motors"), "Ann")
	if err != nil {
		t.Fatal("after it was released: ", err)
	}
	again.Close()
}

// TestTopicOfPeers: peers hear each other, nobody himself.
func TestTopicOfPeers(t *testing.T) {
	w := newWorld(t, nil)
	ctx, ann := w.dial()
	_, bob := w.dial()
	from, to := ann.Topic("chat"), bob.Topic("chat")
	defer from.Close()
	defer to.Close()
	heard, stop := pull(to.Messages(ctx, 16))
	defer stop()
	said := &messagev1.Message{Body: &messagev1.Message_Text{Text: `{"hello":"bob"}`}}
	heardSomething := make(chan *messagev1.Message, 1)
	go func() {
		m, _ := heard()
		heardSomething <- m
	}()
	w.eventually("bob hears ann", func() bool {
		_ = from.Send(said) // until the channels are open on both sides
		select {
		case m := <-heardSomething:
			return m.GetText() == said.GetText() && m.GetTopic() == "chat"
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
	data := make([]byte, 64<<10)
	if err := from.Send(&messagev1.Message{Body: &messagev1.Message_Data{Data: data}}); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := heard()
		if err != nil {
			t.Fatal(err)
		}
		if len(m.GetData()) == len(data) {
			break
		}
	}
	if err := from.Send(&messagev1.Message{Body: &messagev1.Message_Data{Data: append(data, 0)}}); status.Code(err) !=
		codes.InvalidArgument {
		t.Errorf("too large: %v", err)
	}
	if err := ann.Topic("no/topic").Send(said); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a bad name: %v", err)
	}
}

// TestATopicIsJoined: before that, Send does not speak of a lost connection.
func TestATopicIsJoined(t *testing.T) {
	w := newWorld(t, nil)
	ctx, robot := w.dial()
	if err := robot.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	topic := robot.Topic("chat")
	defer topic.Close()
	w.eventually("the topic is joined", func() bool {
		before := robot.State()
		err := topic.Send(&messagev1.Message{Body: &messagev1.Message_Text{Text: "1"}})
		live := before.State == peer.Live && robot.State() == before
		if err != nil && live && !strings.Contains(err.Error(), "being joined") {
			t.Errorf("Send: %v", err)
		}
		return err == nil
	})
}

// TestSoundOfAPeer: it hears a microphone and is heard at a speaker.
func TestSoundOfAPeer(t *testing.T) {
	w := newWorld(t, nil)
	e := w.ear(77)
	ctx, robot := w.dial()
	var before *mediav1.AudioFrame
	n := 0
	for f, err := range robot.Microphone("head").Frames(ctx, 50) {
		if err != nil {
			t.Fatal(err)
		}
		if f.GetEpoch() != 77 || len(f.GetData()) != 2 || f.GetData()[1] != byte(f.GetSequence()) ||
			f.GetSampleCount() != 960 {
			t.Fatalf("heard %v", f)
		}
		if before != nil && (f.GetSequence() != before.GetSequence()+1 || f.GetSampleIndex() != before.GetSampleIndex()+960) {
			t.Fatalf("%v follows %v", f, before)
		}
		if before = f; n == 10 {
			break
		}
		n++
	}
	speaker := robot.Speaker("head")
	defer speaker.Close()
	said := func(sequence int64) error {
		return speaker.Audio(&mediav1.AudioFrame{Epoch: 5, Sequence: sequence, SampleIndex: 960 * sequence, SampleCount: 960,
			Format: &mediav1.AudioFormat{MediaType: "audio/opus"}, Data: []byte{0x78, byte(sequence)}})
	}
	if err := speaker.Audio(&mediav1.AudioFrame{Format: &mediav1.AudioFormat{MediaType: "audio/raw"},
		Data: []byte{1}}); status.
		Code(err) != codes.InvalidArgument {
		t.Errorf("raw sound: %v", err)
	}
	sequence := int64(0)
	w.eventually("the peer is heard", func() bool {
		_ = said(sequence) // until the speaker is there
		sequence++
		return len(e.heard) > 0
	})
	if err := said(sequence); err != nil {
		t.Fatal(err)
	}
	first := e.next(t)
	for first.GetData()[1] != byte(sequence) { // what was said before
		first = e.next(t)
	}
	if first.GetTalker() != "test" {
		t.Errorf("the talker is %q", first.GetTalker())
	}
	if err := said(sequence + 3); err != nil { // two are missing
		t.Fatal(err)
	}
	if f := e.next(t); f.GetSequence() != first.GetSequence()+3 || f.GetSampleIndex() != first.GetSampleIndex()+3*960 {
		t.Errorf("%v follows %v", f, first)
	}
}

// TestPeerOfSomethingElse: what is no gateway is told as that, and asked again, but not at once.
func TestPeerOfSomethingElse(t *testing.T) {
	asked := make(chan struct{}, 1000)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		http.Error(w, "no robot\x1b[31m here", http.StatusNotFound)
	}))
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	robot, err := peer.Dial(ctx, other.URL, peer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer robot.Close()
	if err := robot.Wait(ctx); err == nil || robot.State().State != peer.Refused {
		t.Errorf("%s, %v", robot.State(), err)
	}
	<-asked
	<-asked
	if n := len(asked); n > 3 {
		t.Errorf("it was asked %d more times at once", n)
	}
}

// TestPeerBeforeItsGateway: a program may be there first.
func TestPeerBeforeItsGateway(t *testing.T) {
	w := newWorld(t, nil)
	address := freeAddress(t)
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	robot, err := peer.Dial(ctx, "http://"+address, peer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer robot.Close()
	w.eventually("the reason is known", func() bool { return robot.State().Reason != "" })
	if s := robot.State(); s.State != peer.Connecting {
		t.Errorf("%s", s)
	}
	c := testConfig(w.bus.URL())
	c.Gateway.HTTP = address
	startWithoutBus(t, c)
	if err := robot.Wait(ctx); err != nil {
		t.Error(err)
	}
}

// TestPeerOfAGatewayThatIsStopping: for a moment it answers that it is, which is no refusal.
func TestPeerOfAGatewayThatIsStopping(t *testing.T) {
	w := newWorld(t, nil)
	target, err := url.Parse(w.base)
	if err != nil {
		t.Fatal(err)
	}
	proxy, asked := httputil.NewSingleHostReverseProxy(target), atomic.Int32{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 2 {
			http.Error(w, "the gateway is stopping", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	robot, err := peer.Dial(ctx, front.URL, peer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer robot.Close()
	told := false
	for s := range robot.States(ctx) {
		told = told || strings.Contains(s.Reason, "is stopping")
		if s.State != peer.Connecting {
			break
		}
	}
	if s := robot.State(); s.State != peer.Live || !told {
		t.Errorf("%s; the reason was told: %v", s, told)
	}
}
