package tracks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var front = Stream{Device: "front", Name: "video"}

// fakeFeed is a feed whose frames the test sends.
type fakeFeed struct {
	frames chan *mediav1.VideoFrame
	asked  chan time.Time // when key frames were asked for
	never  bool           // no key frames on request
	closed chan struct{}
}

func newFeed() *fakeFeed {
	return &fakeFeed{frames: make(chan *mediav1.VideoFrame), asked: make(chan time.Time, 100), closed: make(chan struct{})}
}

func (f *fakeFeed) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	select {
	case vf, ok := <-f.frames:
		if !ok {
			return nil, io.EOF
		}
		return vf, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// videoOf is a device whose video open returns.
type videoOf struct {
	Devices // no other methods are used
	open    func(Stream) (VideoFeed, error)
}

func (d *videoOf) Video(s Stream) (VideoFeed, error) { return d.open(s) }

func (f *fakeFeed) RequestKeyFrame(context.Context) error { f.asked <- time.Now(); return nil }
func (f *fakeFeed) KeyFrameOnRequest() bool               { return !f.never }
func (f *fakeFeed) Close()                                { close(f.closed) }

// sink is where a viewer's packets go: it is the context of a negotiated track, and its writer.
type sink struct {
	webrtc.TrackLocalContext // no other methods are used
	ssrc                     webrtc.SSRC
	extensions               []webrtc.RTPHeaderExtensionParameter
	codecs                   []webrtc.RTPCodecParameters
	gate                     chan struct{} // if not nil, each write takes a token from it
	broken                   atomic.Bool   // nothing can be written

	mu      sync.Mutex
	packets []rtp.Packet
}

var h264 = webrtc.RTPCodecParameters{PayloadType: 102, RTPCodecCapability: webrtc.RTPCodecCapability{
	MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "packetization-mode=1;profile-level-id=42e01f"}}

func (s *sink) CodecParameters() []webrtc.RTPCodecParameters {
	if s.codecs != nil {
		return s.codecs
	}
	return []webrtc.RTPCodecParameters{h264}
}
func (s *sink) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter { return s.extensions }
func (s *sink) SSRC() webrtc.SSRC                                      { return s.ssrc }
func (s *sink) WriteStream() webrtc.TrackLocalWriter                   { return s }
func (s *sink) ID() string                                             { return "sink" }
func (s *sink) RTCPReader() interceptor.RTCPReader                     { return nil }
func (s *sink) Write([]byte) (int, error)                              { return 0, io.ErrClosedPipe }

func (s *sink) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if s.gate != nil {
		<-s.gate
	}
	if s.broken.Load() {
		return 0, nil // as pion has it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packets = append(s.packets, rtp.Packet{Header: h.Clone(), Payload: payload})
	return len(payload), nil
}

func (s *sink) all() []rtp.Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]rtp.Packet(nil), s.packets...)
}

// frames counts whole frames.
func (s *sink) frames() (n int) {
	for _, p := range s.all() {
		if p.Marker {
			n++
		}
	}
	return n
}

// checkUnbroken sees to it that the packets are one stream.
func (s *sink) checkUnbroken(t *testing.T) {
	t.Helper()
	packets := s.all()
	for i := 1; i < len(packets); i++ {
		a, b := packets[i-1], packets[i]
		if b.SSRC != a.SSRC || b.SequenceNumber != a.SequenceNumber+1 {
			t.Fatalf("packet %d: ssrc %d seq %d follows ssrc %d seq %d", i, b.SSRC, b.SequenceNumber, a.SSRC, a.SequenceNumber)
		}
		if d := int32(b.Timestamp - a.Timestamp); a.Marker && d <= 0 || !a.Marker && d != 0 {
			t.Fatalf("packet %d: timestamp %d follows %d, marker %v", i, b.Timestamp, a.Timestamp, a.Marker)
		}
	}
}

func isKey(p rtp.Packet) bool { return p.Payload[0]&0x1f == 24 } // parameter sets come first, as STAP-A

// bench is a hub with one feed, inside a bubble of fake time.
type bench struct {
	t    *testing.T
	feed *fakeFeed
	from *videoOf
	hub  *Hub
	reg  *prometheus.Registry
	m    *Metrics
	seq  int64
	// The epoch of the frames to come.
	epoch    int64
	requests int // taken by takeAsked
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, feed: newFeed(), reg: prometheus.NewRegistry(), epoch: 1}
	b.m = NewMetrics(b.reg)
	b.from = &videoOf{open: func(Stream) (VideoFeed, error) { return b.feed, nil }}
	b.hub = NewHub(b.from, Config{Metrics: b.m})
	return b
}

func (b *bench) viewer(s *sink) *Track {
	b.t.Helper()
	v, err := b.hub.NewTrack(b.t.Context(), webrtc.RTPCodecTypeVideo, front, "front")
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := v.Bind(s); err != nil {
		b.t.Fatal(err)
	}
	v.Start()
	return v
}

// send gives frames to the relay, 33 ms apart, and waits until all is quiet.
func (b *bench) send(n int, key bool) {
	for i := range n {
		b.feed.frames <- fakecam.Frame(b.epoch, b.seq, key && i == 0, 3000)
		b.seq++
		time.Sleep(33 * time.Millisecond)
		synctest.Wait()
	}
}

// lose skips a frame, as if it was lost on the bus.
func (b *bench) lose() { b.seq++ }

func (b *bench) restart() { b.epoch, b.seq = b.epoch+1, 0 }

func (b *bench) asked() int { return len(b.feed.asked) }

// takeAsked is how many key frames were asked for since the last time.
func (b *bench) takeAsked() (n int) {
	for len(b.feed.asked) > 0 {
		<-b.feed.asked
		n++
	}
	b.requests += n
	return n
}

func (b *bench) lost(where string) int {
	return int(testutil.ToFloat64(b.m.video.lost.WithLabelValues("front", where)))
}

func (b *bench) end(viewers ...*Track) {
	for _, v := range viewers {
		v.Close()
	}
	b.hub.Close()
}

func TestNewEpochGoesOnWithTheSameStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		b.send(5, true)
		b.restart()
		time.Sleep(time.Minute) // the device is away
		b.send(3, false)        // nothing but a key frame starts the new life
		if got := s.frames(); got != 5 {
			t.Errorf("%d frames were sent, want 5: delta frames of a new epoch start nothing", got)
		}
		if b.asked() == 0 {
			t.Error("no key frame was asked for")
		}
		b.send(5, true)
		if got := s.frames(); got != 10 {
			t.Errorf("%d frames were sent, want 10", got)
		}
		s.checkUnbroken(t)
		packets := s.all()
		var gap uint32
		for i := 1; i < len(packets); i++ {
			gap = max(gap, packets[i].Timestamp-packets[i-1].Timestamp)
		}
		if gap < 60*videoRate || gap > 61*videoRate {
			t.Errorf("the timestamps jump by %d over a minute, want that minute", gap)
		}
		b.end(v)
	})
}

func TestLossHoldsBackUntilAKeyFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		b.send(5, true)
		b.lose()
		b.send(4, false)
		if got := s.frames(); got != 5 {
			t.Errorf("%d frames were sent, want 5", got)
		}
		if b.asked() != 1 {
			t.Errorf("asked for %d key frames, want 1", b.asked())
		}
		b.send(1, true)
		if got := s.frames(); got != 6 || !isKey(s.all()[len(s.all())-2]) && !isKey(s.all()[len(s.all())-4]) {
			t.Errorf("%d frames were sent, want 6, the last one a key frame", got)
		}
		if b.lost(lostOnBus) != 1 || b.lost(lostUnusable) != 4 {
			t.Errorf("lost %d on the bus and %d unusable, want 1 and 4", b.lost(lostOnBus), b.lost(lostUnusable))
		}
		s.checkUnbroken(t)
		b.end(v)
	})
}

func TestNewViewerBeginsAtOnce(t *testing.T) {
	tests := []struct {
		name            string
		group           int // frames since the key frame
		never           bool
		replayed, asked int
	}{
		{"short group is replayed", 6, false, 6, 0},
		{"longest short group", shortGroup, false, shortGroup, 0},
		{"long group is not worth it", shortGroup + 1, false, 0, 1},
		{"long group without requests is replayed", 200, true, 200, 0},
		{"a group of 40 s without requests is replayed", 1200, true, 1200, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, first, second := newBench(t), &sink{ssrc: 1}, &sink{ssrc: 2}
				b.feed.never = tt.never
				v := b.viewer(first)
				b.send(tt.group, true)
				asked := b.asked()
				w := b.viewer(second)
				synctest.Wait()
				if got := second.frames(); got < min(tt.replayed, 10) {
					t.Errorf("%d frames were replayed at once", got)
				}
				time.Sleep(2 * time.Second) // many are sent at a pace
				if got := second.frames(); got != tt.replayed {
					t.Errorf("%d frames were replayed, want %d", got, tt.replayed)
				}
				if tt.replayed > 0 && !isKey(second.all()[0]) {
					t.Error("the replay does not begin with a key frame")
				}
				if got := b.asked() - asked; got != tt.asked {
					t.Errorf("%d key frames were asked for, want %d", got, tt.asked)
				}
				b.send(1, true)
				b.send(3, false)
				if got := second.frames(); got != tt.replayed+4 {
					t.Errorf("%d frames were sent, want %d", got, tt.replayed+4)
				}
				second.checkUnbroken(t)
				b.end(v, w)
			})
		})
	}
}

func TestKeyFrameRequestsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var viewers []*Track
		for range 5 {
			viewers = append(viewers, b.viewer(&sink{ssrc: 7}))
		}
		b.send(1, true)
		begin := time.Now()
		for i := range 50 { // half a second of complaints, of both sorts
			v := viewers[i%len(viewers)]
			p := []rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 7}}
			if i%2 == 1 {
				p = []rtcp.Packet{&rtcp.FullIntraRequest{MediaSSRC: 7}}
			}
			v.HandleRTCP(p)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		b.end(viewers...)
		close(b.feed.asked)
		var at []time.Duration
		for when := range b.feed.asked {
			at = append(at, when.Sub(begin))
		}
		want := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond,
			400 * time.Millisecond,
			500 * time.Millisecond} // the last one is for those who came after 400 ms
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("key frames were asked for at %v, want %v", at, want)
		}
	})
}

func TestStalledViewerLosesOnlyItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, good, bad := newBench(t), &sink{ssrc: 1}, &sink{ssrc: 2, gate: make(chan struct{})}
		v, w := b.viewer(good), b.viewer(bad)
		b.send(40, true)
		if got := good.frames(); got != 40 {
			t.Errorf("the good viewer got %d frames, want 40", got)
		}
		if b.lost(lostByViewer) == 0 {
			t.Error("no loss was counted")
		}
		if b.asked() != 0 {
			t.Error("a key frame was asked for while the stalled viewer could not have sent it")
		}
		close(bad.gate)
		synctest.Wait()
		before := bad.frames()
		b.send(1, false)
		if b.asked() != 1 {
			t.Errorf("%d key frames were asked for when the viewer was back, want 1", b.asked())
		}
		b.send(1, true)
		b.send(2, false)
		if got := bad.frames() - before; got != 3 {
			t.Errorf("the other got %d frames from the key frame on, want 3", got)
		}
		if got := bad.frames() + b.lost(lostByViewer); got != 44 {
			t.Errorf("frames sent and frames lost are %d together, want 44", got)
		}
		bad.checkUnbroken(t)
		b.end(v, w)
	})
}

// TestBrokenViewerBothersNobody has a connection that takes nothing for a minute.
func TestBrokenViewerBothersNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, good, bad := newBench(t), &sink{ssrc: 1}, &sink{ssrc: 2}
		v, w := b.viewer(good), b.viewer(bad)
		b.send(5, true)
		bad.broken.Store(true)
		total := 5
		for range 1800 { // a minute; the camera does as it is asked
			b.send(1, b.takeAsked() > 0)
			total++
		}
		if b.requests > 12 {
			t.Errorf("%d key frames were asked for in a minute, want one in 8 s or so", b.requests)
		}
		if got := good.frames(); got != total {
			t.Errorf("the good viewer got %d frames of %d", got, total)
		}
		bad.broken.Store(false)
		before := bad.frames()
		for range 300 {
			b.send(1, b.takeAsked() > 0)
		}
		if bad.frames() == before {
			t.Error("the other did not come back")
		}
		b.end(v, w)
	})
}

func TestResendIsTheSamePacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		s := &sink{ssrc: 7, extensions: []webrtc.RTPHeaderExtensionParameter{{URI: PlayoutDelayURI, ID: 3},
			{URI: AbsCaptureTimeURI, ID: 9}}}
		v := b.viewer(s)
		b.send(3, true)
		sent := s.all()
		first := sent[0]
		if got := first.GetExtension(3); fmt.Sprint(got) != "[0 0 0]" {
			t.Errorf("playout delay is % x, want 0 0 0", got)
		}
		var captured rtp.AbsCaptureTimeExtension
		if err := captured.Unmarshal(first.GetExtension(9)); err != nil || time.Since(captured.CaptureTime()) > time.Second {
			t.Errorf("capture time is %v (%v), want about now", captured.CaptureTime(), err)
		}
		if sent[1].Extension {
			t.Error("a later packet of the frame has extensions as well")
		}
		v.HandleRTCP([]rtcp.Packet{
			&rtcp.TransportLayerNack{MediaSSRC: 7,
				Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first.SequenceNumber, first.SequenceNumber + 1})},
			// never sent
			&rtcp.TransportLayerNack{MediaSSRC: 7, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first.SequenceNumber - 1})},
			// not ours
			&rtcp.TransportLayerNack{MediaSSRC: 8, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first.SequenceNumber})},
		})
		again := s.all()[len(sent):]
		if len(again) != 2 || again[0].String() != first.String() || again[1].String() != sent[1].String() {
			t.Errorf("sent again: %v, want the first two packets", again)
		}
		a, _ := first.Marshal()
		if c, _ := again[0].Marshal(); string(a) != string(c) {
			t.Error("the packet differs from the first one")
		}
		b.end(v)
	})
}

func TestFollowingViewerKeepsTheTrack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		b.send(5, true)
		v.Close()
		b.hub.Close()
		other := newBench(t)
		time.Sleep(time.Second)
		w, err := other.hub.NewTrack(t.Context(), webrtc.RTPCodecTypeVideo, front, "front")
		if err != nil {
			t.Fatal(err)
		}
		w.Follow(v)
		if _, err := w.Bind(s); err != nil {
			t.Fatal(err)
		}
		w.Start()
		other.send(5, true)
		if s.frames() != 10 {
			t.Errorf("%d frames, want 10", s.frames())
		}
		s.checkUnbroken(t)
		other.end(w)
	})
}

func TestLifeOfARelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		opened := 0
		b.from.open = func(Stream) (VideoFeed, error) { opened++; b.feed = newFeed(); return b.feed, nil }
		v, w := b.viewer(&sink{ssrc: 1}), b.viewer(&sink{ssrc: 2})
		if opened != 1 {
			t.Errorf("two viewers opened %d feeds, want 1", opened)
		}
		v.Close()
		v.Close() // more than once does no harm
		_ = v.Unbind(nil)
		synctest.Wait()
		select {
		case <-b.feed.closed:
			t.Error("the feed was closed while somebody looked")
		default:
		}
		w.Close()
		<-b.feed.closed
		again := b.viewer(&sink{ssrc: 3})
		if opened != 2 {
			t.Errorf("%d feeds were opened, want another for a viewer that came later", opened)
		}
		b.end(again)
		if n := testutil.ToFloat64(b.m.video.sources); n != 0 {
			t.Errorf("%v relays are left", n)
		}
	})
}

func TestFeedThatEndsLeavesViewersWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		v := b.viewer(&sink{ssrc: 1})
		close(b.feed.frames)
		<-b.feed.closed
		b.end(v)
	})
}

func TestOnlyKnownCodecsAreBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		v, err := b.hub.NewTrack(b.t.Context(), webrtc.RTPCodecTypeVideo, front, "front")
		if err != nil {
			t.Fatal(err)
		}
		av1, opus := h264, h264
		av1.MimeType, opus.MimeType = webrtc.MimeTypeAV1, webrtc.MimeTypeOpus
		if _, err := v.Bind(&sink{codecs: []webrtc.RTPCodecParameters{av1, opus}}); !errors.Is(err,
			webrtc.ErrUnsupportedCodec) {
			t.Errorf("bound to AV1 or sound: %v", err)
		}
		if c, err := v.Bind(&sink{codecs: []webrtc.RTPCodecParameters{av1, h264}}); err != nil ||
			c.PayloadType != h264.PayloadType {
			t.Errorf("bound to %v: %v", c, err)
		}
		b.end(v)
	})
}

// oddFrames are frames that no camera should send; they must be counted and do no harm.
func oddFrames() []*mediav1.VideoFrame {
	good := func(change func(*mediav1.VideoFrame)) *mediav1.VideoFrame {
		f := fakecam.Frame(1, 1, true, 3000)
		change(f)
		return f
	}
	return []*mediav1.VideoFrame{
		{},
		good(func(f *mediav1.VideoFrame) { f.Epoch = 0 }),
		good(func(f *mediav1.VideoFrame) { f.Sequence = -1 }),
		good(func(f *mediav1.VideoFrame) { f.Data = nil }),
		good(func(f *mediav1.VideoFrame) { f.Format = nil }),
		good(func(f *mediav1.VideoFrame) { f.Format.MediaType = "image/jpeg" }),
	}
}

func TestGarbageIsCountedAndIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 7}
		v := b.viewer(s)
		for _, f := range oddFrames() {
			b.feed.frames <- f
		}
		synctest.Wait()
		if got := b.lost(lostGarbage); got != len(oddFrames()) {
			t.Errorf("%d frames were counted as garbage, want %d", got, len(oddFrames()))
		}
		b.send(2, true)
		if s.frames() != 2 {
			t.Errorf("%d frames after the garbage, want 2", s.frames())
		}
		b.end(v)
	})
}

func FuzzFrame(f *testing.F) {
	for _, vf := range append(oddFrames(), fakecam.Frame(1, 0, true, 3000)) {
		f.Add(vf.GetEpoch(), vf.GetSequence(), vf.GetKeyFrame(), vf.GetCaptureTime().GetSeconds(),
			vf.GetFormat().GetMediaType(), vf.GetData())
	}
	f.Add(int64(1), int64(1<<62), true, int64(-1<<62), "video/H264", []byte{0, 0, 1, 0, 0, 1, 0x67, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, epoch, seq int64, key bool, seconds int64, mediaType string, data []byte) {
		m := NewMetrics(prometheus.NewRegistry()).of(webrtc.RTPCodecTypeVideo, "front")
		r := newVideo(newFeed(), newFan(front, m, NewHub(nil, Config{}).log), newProfiles())
		s := &sink{ssrc: 7}
		b := newBinding(s, 102, codecs.Of(h264.MimeType))
		now := time.Now()
		for i := range int64(3) {
			vf := &mediav1.VideoFrame{
				Epoch: epoch, Sequence: seq + i, KeyFrame: key, Data: data,
				CaptureTime: &timestamppb.Timestamp{Seconds: seconds + i},
				Format:      &mediav1.VideoFormat{MediaType: mediaType},
			}
			r.accept(vf, now.Add(time.Duration(i)*time.Millisecond))
		}
		for _, fr := range r.group.Frames() {
			b.write(fr, newPace(t.Context().Done()))
		}
		s.checkUnbroken(t)
		for _, p := range s.all() {
			if len(p.Payload) > mtu || len(p.Payload) == 0 {
				t.Fatalf("payload of %d bytes", len(p.Payload))
			}
		}
	})
}

// vp8 is a frame of another codec than fakecam's.
func vp8(epoch, seq int64, key bool) *mediav1.VideoFrame {
	data := []byte{1, 0, 0, 7, 7, 7, 7}
	if key {
		data = []byte{0, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0, 7}
	}
	return &mediav1.VideoFrame{
		Epoch: epoch, Sequence: seq, KeyFrame: key, Data: data, CaptureTime: timestamppb.Now(),
		Format: &mediav1.VideoFormat{MediaType: "video/VP8"},
	}
}

// TestStreamThatChangesItsCodec: a track has the codec that was agreed on and no other, a reader of any codec has all,
// and both go on with a key frame, though the sequence of the device has no gap.
func TestStreamThatChangesItsCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s, other := newBench(t), &sink{ssrc: 7}, &sink{ssrc: 8, codecs: []webrtc.RTPCodecParameters{{
			PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}}}}
		v, w, r := b.viewer(s), b.viewer(other), b.reader()
		b.send(5, true)
		for i := range 6 { // in the same life; the first is no key frame
			b.feed.frames <- vp8(b.epoch, b.seq, i == 2)
			b.seq++
			time.Sleep(33 * time.Millisecond)
			synctest.Wait()
		}
		read := b.waiting(r)
		late := b.viewer(&sink{ssrc: 9}) // the group is of the other codec
		if got := [2]int{s.frames(), other.frames()}; got != [2]int{5, 4} {
			t.Errorf("%v frames were sent to the two, want 5 and 4", got)
		}
		b.send(2, false)
		if s.frames() != 5 || b.asked() == 0 {
			t.Error("frames were sent before a key frame, or none was asked for")
		}
		b.send(3, true)
		if got := [2]int{s.frames(), other.frames()}; got != [2]int{8, 4} {
			t.Errorf("%v frames were sent to the two, want 8 and 4", got)
		}
		s.checkUnbroken(t)
		other.checkUnbroken(t)
		for _, p := range other.all() {
			if p.PayloadType != 96 || p.Payload[0] != 0x10 {
				t.Errorf("not VP8: payload type %d, % x", p.PayloadType, p.Payload)
			}
		}
		kinds := ""
		for _, p := range append(read, b.waiting(r)...) {
			kinds += p.Codec.MediaType[6:7]
		}
		if kinds != "HHHHHVVVVHHH" {
			t.Errorf("the reader got %s", kinds)
		}
		r.Close()
		b.end(v, w, late)
	})
}
