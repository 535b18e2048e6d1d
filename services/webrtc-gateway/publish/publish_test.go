package publish_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakeslot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/publish"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 20 * time.Second

// rig is a bus with a device `guest` and the publishers of a gateway.
type rig struct {
	t          *testing.T
	url        string
	slot       *fakeslot.Slot
	publishers *publish.Publishers
	reports    reports
	number     uint16
	pictures   uint32
}

func newRig(t *testing.T) *rig {
	t.Helper()
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	r := &rig{t: t, url: server.URL()}
	r.restart()
	conn, err := bus.Connect(bus.Config{URL: r.url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	r.publishers = publish.New(publish.Config{Bus: conn.Conn, Robot: "demo"})
	t.Cleanup(r.publishers.Close)
	return r
}

// restart starts another life of the device.
func (r *rig) restart() {
	r.t.Helper()
	if r.slot != nil {
		r.slot.Stop()
	}
	var err error
	if r.slot, err = fakeslot.Start(r.url, "demo", "guest"); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.slot.Stop)
}

func (r *rig) open(take bool) (*publish.Publication, error) {
	r.t.Helper()
	var n *publish.Publication
	var err error
	r.eventually("the device answers", func() bool {
		n, err = r.publishers.Open(r.t.Context(), "guest", &peerv1.Publisher{Name: "Ann", Via: "whip"}, take)
		return status.Code(err) != codes.Unavailable
	})
	if err == nil {
		r.t.Cleanup(n.Close)
	}
	return n, err
}

func (r *rig) mustOpen() *publish.Publication {
	r.t.Helper()
	n, err := r.open(false)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(timeout); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %v: %s", timeout, what)
		}
	}
}

// reports are what a publisher is told by RTCP.
type reports struct {
	mu                   sync.Mutex
	pli, fir, nack, remb int
	bitrate              float32
}

func (p *reports) take(packets ...rtcp.Packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, packet := range packets {
		switch packet := packet.(type) {
		case *rtcp.PictureLossIndication:
			p.pli++
		case *rtcp.FullIntraRequest:
			p.fir++
		case *rtcp.TransportLayerNack:
			for _, pair := range packet.Nacks {
				p.nack += len(pair.PacketList())
			}
		case *rtcp.ReceiverEstimatedMaximumBitrate:
			p.remb++
			p.bitrate = packet.Bitrate
		}
	}
}

func (p *reports) count(which *int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *which
}

// begin gives a sink a track of video.
func (r *rig) begin(sink rtc.Sink) {
	sink.Begin(rtc.Incoming{Codec: codecs.All(webrtc.RTPCodecTypeVideo)[0], SSRC: 7, Report: r.reports.take})
}

// picture sends a key frame in packets, without those that lost names.
func (r *rig) picture(sink rtc.Sink, lost ...int) {
	r.t.Helper()
	au, err := os.ReadFile("testdata/key.h264")
	if err != nil {
		r.t.Fatal(err)
	}
	payloads := codecs.All(webrtc.RTPCodecTypeVideo)[0].NewPayloader().Payload(300, au)
	for i, payload := range payloads {
		r.number++
		missing := false
		for _, n := range lost {
			missing = missing || n == i
		}
		if missing {
			continue
		}
		sink.Accept(&rtp.Header{Version: 2, SSRC: 7, SequenceNumber: r.number, Timestamp: 3600 * r.pictures,
			Marker: i == len(payloads)-1}, payload, time.Now())
	}
	r.pictures++
}

func TestFramesReachTheDevice(t *testing.T) {
	r := newRig(t)
	n := r.mustOpen()
	r.begin(n.Video())
	for want := range int64(3) {
		r.picture(n.Video())
		select {
		case f := <-r.slot.Video:
			if !f.GetKeyFrame() || f.GetSequence() != want || f.GetFormat().GetWidthPx() != 96 ||
				time.Since(f.GetCaptureTime().AsTime()) > timeout {
				t.Errorf("frame %d: %v, %d bytes", want, f.GetFormat(), len(f.GetData()))
			}
		case <-time.After(timeout):
			t.Fatal("no frame")
		}
	}
	for i := range uint16(3) {
		n.Audio().Accept(&rtp.Header{SequenceNumber: i, Timestamp: uint32(i) * 960, SSRC: 9}, []byte{0x78, 1}, time.Now())
		f := <-r.slot.Audio
		if f.GetSequence() != int64(i) || f.GetSampleIndex() != int64(i)*960 || f.GetTalker() != "Ann" {
			t.Errorf("sound %d: %v", i, f)
		}
	}
	r.eventually("REMB tells the bit rate", func() bool { return r.reports.count(&r.reports.remb) > 0 })
	r.reports.mu.Lock()
	if r.reports.bitrate != fakeslot.MaxBitrate || r.reports.pli > 0 || r.reports.nack > 0 {
		t.Errorf("%+v", &r.reports)
	}
	r.reports.mu.Unlock()
	n.Close()
	if who, _ := r.slot.Publisher(); who != nil {
		t.Errorf("%s still has the slot", who.GetName())
	}
	r.picture(n.Video()) // after the end: nothing happens
}

func TestLossesAreReported(t *testing.T) {
	r := newRig(t)
	n := r.mustOpen()
	r.begin(n.Video())
	r.picture(n.Video())
	<-r.slot.Video
	r.picture(n.Video(), 1)
	r.eventually("the packet is asked for, given up, and a key frame is asked for", func() bool {
		return r.reports.count(&r.reports.nack) >= 1 && r.reports.count(&r.reports.pli) >= 1
	})
	r.picture(n.Video())
	if f := <-r.slot.Video; f.GetSequence() != 2 {
		t.Errorf("after the loss of one frame comes number %d", f.GetSequence())
	}
}

func TestWishes(t *testing.T) {
	r := newRig(t)
	n := r.mustOpen()
	r.begin(n.Video())
	r.eventually("the wishes are heard", r.slot.Wished)
	r.slot.WishKeyFrame()
	r.eventually("PLI", func() bool { return r.reports.count(&r.reports.pli) == 1 })
	r.eventually("FIR as well, because no key frame comes", func() bool {
		r.slot.WishKeyFrame()
		return r.reports.count(&r.reports.fir) > 0
	})
	r.slot.Throw("Bob has taken the slot")
	select {
	case <-n.Done():
	case <-time.After(timeout):
		t.Fatal("it goes on")
	}
	if err := n.Err(); err == nil || !strings.Contains(err.Error(), "Bob has taken the slot") {
		t.Errorf("it ended because %v", err)
	}
}

func TestTheSlotIsForOne(t *testing.T) {
	r := newRig(t)
	first := r.mustOpen()
	if _, err := r.open(false); status.Code(err) != codes.AlreadyExists ||
		!strings.Contains(err.Error(), "Ann has the slot") {
		t.Errorf("the second gets %v", err)
	}
	second, err := r.open(true)
	if err != nil {
		t.Fatal(err)
	}
	first.Close() // does not end the second one
	r.begin(second.Video())
	r.picture(second.Video())
	<-r.slot.Video
	r.begin(first.Video())
	r.picture(first.Video())
	select {
	case <-r.slot.Video:
		t.Error("the first still sends")
	case <-time.After(50 * time.Millisecond):
	}
}

// TestStopping: a gateway that is stopping keeps no slot.
func TestStopping(t *testing.T) {
	r := newRig(t)
	r.mustOpen()
	r.publishers.Close()
	_, err := r.publishers.Open(t.Context(), "guest", &peerv1.Publisher{Name: "Bob", Via: "whip"}, false)
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("refused with %v", err)
	}
	if who, begun := r.slot.Publisher(); who != nil || begun != 2 {
		t.Errorf("%v has the slot, which was begun %d times", who, begun)
	}
}

func TestTheDeviceRestarts(t *testing.T) {
	r := newRig(t)
	n := r.mustOpen()
	r.begin(n.Video())
	r.picture(n.Video())
	<-r.slot.Video
	for life := range 3 {
		r.restart()
		r.eventually("the slot is given again", func() bool {
			who, begun := r.slot.Publisher()
			return who.GetName() == "Ann" && begun == 1
		})
		r.eventually("a key frame is asked for", func() bool {
			r.slot.WishKeyFrame() // at once, unless the last request was just now
			return r.reports.count(&r.reports.pli) > life
		})
		r.eventually("frames arrive", func() bool {
			r.picture(n.Video())
			select {
			case f := <-r.slot.Video:
				return f.GetKeyFrame()
			case <-time.After(100 * time.Millisecond):
				return false
			}
		})
	}
}

func TestWhoElseHasTheSlotAfterARestartKeepsIt(t *testing.T) {
	r := newRig(t)
	n := r.mustOpen()
	r.slot.Stop()
	conn, err := bus.Connect(bus.Config{URL: r.url})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.restart()
	client := peerv1.NewPeerServiceClient(conn.Client(bus.Address{Robot: "demo", Device: "guest"}))
	r.eventually("Bob gets the slot", func() bool {
		_, err := client.Begin(t.Context(), &peerv1.BeginRequest{Publisher: &peerv1.Publisher{Name: "Bob"}, Take: true})
		return err == nil
	})
	// Ann asks as soon as she has heard of the restart. She may have been first: then Bob has taken it from her.
	n.Close()
	if who, _ := r.slot.Publisher(); who.GetName() != "Bob" {
		t.Errorf("%s has the slot", who.GetName())
	}
}

// idle is a device that does nothing.
type idle struct{}

func (idle) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return nil
}

// startIdle starts a device of another kind.
func startIdle(t *testing.T, url, name string) {
	t.Helper()
	kind := device.Kind[struct{}]{Name: "idle", Version: "1.0.0", New: func(*device.Kit, struct{}) (device.Driver, error) {
		return idle{}, nil
	}}
	p, err := device.Start(kind, device.Settings{Robot: "demo", Device: name, NATS: url}, struct{}{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
}

func TestWhatIsNoSlot(t *testing.T) {
	r := newRig(t)
	camera, err := fakecam.Start(r.url, bus.Address{Robot: "demo", Device: "front"}, fakecam.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer camera.Stop()
	startIdle(t, r.url, "voice")
	for device, want := range map[string]codes.Code{
		"front": codes.FailedPrecondition, "voice": codes.FailedPrecondition, // the first answers what it does not know
		"nobody": codes.Unavailable, "a.b": codes.InvalidArgument,
	} {
		_, err := r.publishers.Open(t.Context(), device, nil, false)
		for want == codes.FailedPrecondition && status.Code(err) == codes.Unavailable { // it has not begun to serve
			_, err = r.publishers.Open(t.Context(), device, nil, false)
		}
		if status.Code(err) != want || want == codes.FailedPrecondition && !strings.Contains(err.Error(), "{kind: peer}") {
			t.Errorf("%s: %v, want %v", device, err, want)
		}
	}
	r.mustOpen()
	r.publishers.Close()
	if _, err := r.publishers.Open(t.Context(), "guest", nil, true); status.Code(err) != codes.Unavailable {
		t.Errorf("while the gateway stops: %v", err)
	}
}
