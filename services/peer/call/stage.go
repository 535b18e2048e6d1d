package call

import (
	"context"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/frames"
	"github.com/waldo-robot/waldo/services/peer/slot"
)

// again is how long the robot waits before it asks for the slot again, when somebody else has it.
const again = 2 * time.Second

// stage publishes the frames of a call while the slot is the robot's.
type stage struct {
	slot Slot
	who  *peerv1.Publisher
	wake chan struct{} // has a value when frames find the slot not to be the robot's

	mu      sync.Mutex
	epoch   int64  // of the publication; 0: none
	wantKey func() // asks the robot for a key frame; nil: it sends no video
}

func newStage(c Config) *stage {
	return &stage{slot: c.Slot, wake: make(chan struct{}, 1), who: &peerv1.Publisher{
		Name: c.URL.Hostname(), Program: "RTCBot", Address: c.URL.Host, Via: "rtcbot"}}
}

// run keeps the slot while frames come, until ctx ends.
func (s *stage) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		if ctx.Err() != nil { // the last frames may wake, too
			return
		}
		if p, err := s.slot.Open(s.who, false); err == nil {
			s.set(p.Granted().GetEpoch())
			s.needKey()
			s.follow(ctx, p)
			s.set(0)
			p.End()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// follow obeys the wishes for a publication until it has ended.
func (s *stage) follow(ctx context.Context, p *slot.Publication) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.Ended():
			return
		case <-p.KeyFrames():
			s.needKey()
		}
	}
}

func (s *stage) set(epoch int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = epoch
}

// granted returns the epoch of the publication. Without one, it is asked for.
func (s *stage) granted() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return s.epoch
}

func (s *stage) needKey() {
	s.mu.Lock()
	ask := s.wantKey
	s.mu.Unlock()
	if ask != nil {
		ask()
	}
}

// first makes the caller the one whose key frames are asked for; false if there is one already.
func (s *stage) first(ask func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wantKey != nil {
		return false
	}
	s.wantKey = ask
	return true
}

// video publishes a frame.
func (s *stage) video(f *mediav1.VideoFrame) {
	if f.Epoch = s.granted(); f.Epoch != 0 {
		_ = s.slot.Video(f) // what is refused ends the publication
	}
}

// audio publishes a frame.
func (s *stage) audio(f *mediav1.AudioFrame) {
	if f.Epoch = s.granted(); f.Epoch != 0 {
		s.slot.Audio(f)
	}
}

// receive reads a track until it ends. Of several tracks of video, the first is published.
func (c *conversation) receive(t *webrtc.TrackRemote) {
	packets := heardTrack{t, c}
	if t.Kind() == webrtc.RTPCodecTypeAudio {
		_ = frames.ReadAudio(packets, frames.NewAudio(frames.AudioConfig{}), c.stage.audio) // ends with the call
		return
	}
	ssrc := uint32(t.SSRC())
	ask := func() { c.report(&rtcp.PictureLossIndication{MediaSSRC: ssrc}) }
	codec := codecs.Of(t.Codec().MimeType)
	if codec == nil || !c.stage.first(ask) {
		drain(packets)
		return
	}
	resend := func(numbers []uint16) {
		c.report(&rtcp.TransportLayerNack{MediaSSRC: ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(numbers)})
	}
	video := frames.NewVideo(codec, frames.VideoConfig{NeedKey: ask, Resend: resend})
	_ = frames.ReadVideo(packets, video, c.stage.video) // ends with the call
}

func (c *conversation) report(p rtcp.Packet) { _ = c.pc.WriteRTCP([]rtcp.Packet{p}) } // fails when the call has ended

// drain reads a track that nobody wants, so that its packets do not pile up.
func drain(t heardTrack) {
	buffer := make([]byte, 1500)
	for {
		if _, _, err := t.Read(buffer); err != nil {
			return
		}
	}
}

// heardTrack is a track whose packets are signs of life.
type heardTrack struct {
	*webrtc.TrackRemote
	conversation *conversation
}

// Read implements [frames.Track].
func (t heardTrack) Read(b []byte) (int, interceptor.Attributes, error) {
	n, a, err := t.TrackRemote.Read(b)
	if err == nil {
		t.conversation.alive(true)
	}
	return n, a, err
}
