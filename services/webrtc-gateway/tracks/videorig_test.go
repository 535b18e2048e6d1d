package tracks

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var front = Stream{Device: "front", Name: "video"}

// fakeFeed is a feed whose frames the test sends.
type fakeFeed struct {
	frames chan *mediav1.VideoFrame
	asked  chan time.Time // when key frames were asked for
	never  bool           // no key frames on request
	asIs   bool           // they are the hardware's
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
func (f *fakeFeed) KeyFrames() KeyFrames                  { return KeyFrames{!f.never, f.never || f.asIs} }
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

func (b *bench) viewer(s *sink) *Track { return b.viewerOver(s, unknown{}) }

// viewerOver is a viewer who is reached by a path.
func (b *bench) viewerOver(s *sink, p Path) *Track {
	b.t.Helper()
	v, err := b.hub.NewTrack(b.t.Context(), webrtc.RTPCodecTypeVideo, front, "front")
	if err != nil {
		b.t.Fatal(err)
	}
	v.Over(p)
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
