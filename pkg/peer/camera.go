package peer

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/frames"
	"github.com/waldo-robot/waldo/pkg/rtp/origin"
)

// askEvery is how often a key frame is asked for at most, for all readers of a camera together.
const askEvery = 500 * time.Millisecond

// Camera is the picture of a device: of a camera, or of a peer that sends one. Frames are encoded; package
// video/decode decodes them. They are those that gRPC readers get, with the same epoch, sequence and data; capture
// times are to the microsecond, and the metadata is not there.
//
// However many loops read a camera, its frames travel once.
type Camera struct {
	feed    *feed[*mediav1.VideoFrame]
	dropped atomic.Uint64

	mu   sync.Mutex
	last uint64 // number of the frame that Latest returned last
}

// Camera returns the picture of a device, which need not exist yet.
func (r *Robot) Camera(device string) *Camera {
	return &Camera{feed: newFeed(r, streamKey{device, "video"}, webrtc.RTPCodecTypeVideo, watch)}
}

// Frames yields frames, beginning with a key frame. At most n wait for a slow reader; one that is further behind loses
// all frames up to the next key frame, which is asked for. The same happens when frames are lost on the way, and when
// the robot was away. Every frame can be decoded if those before it were.
//
// An error says why nothing comes, for example that there is no such device; it is a gRPC status. A loop that goes on
// gets frames when there are some. The last error is that of ctx, or [ErrClosed].
func (c *Camera) Frames(ctx context.Context, n int) iter.Seq2[*mediav1.VideoFrame, error] {
	return func(yield func(*mediav1.VideoFrame, error) bool) {
		c.feed.ask() // a later reader needs one too
		var s sequence
		for f, err := range c.feed.read(ctx, n, func(f *mediav1.VideoFrame) bool { return c.usable(&s, f) }, &c.dropped) {
			if !yield(f, err) {
				return
			}
		}
	}
}

// usable reports whether a reader can use a frame, and asks for a key frame if it needs one.
func (c *Camera) usable(s *sequence, f *mediav1.VideoFrame) bool {
	deliver, stuck := s.accept(f)
	if stuck {
		c.feed.ask()
	}
	if deliver {
		c.got(f)
	} else {
		c.dropped.Add(1)
	}
	return deliver
}

// got counts a frame that the program gets.
func (c *Camera) got(f *mediav1.VideoFrame) {
	c.feed.shown.got(f.GetCaptureTime(), &c.feed.robot.clock)
}

// Latest returns the newest frame, and waits for one that it has not returned yet. It is for pictures that stand alone:
// of a camera whose frames build on each other, read all of them, or use decode.Latest.
func (c *Camera) Latest(ctx context.Context) (*mediav1.VideoFrame, error) {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	f, count, err := c.feed.after(ctx, last)
	if err == nil {
		c.got(f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, count)
	return f, err
}

// Dropped returns how many frames the loops over Frames of this Camera did not get because they were too slow, or
// because a frame before was missing.
func (c *Camera) Dropped() uint64 { return c.dropped.Load() }

// Lost returns how many frames of the device were lost on the way.
func (c *Camera) Lost() uint64 { return c.feed.lost.Load() }

// AskKeyFrame asks the camera for a key frame, at most twice a second.
func (c *Camera) AskKeyFrame() { c.feed.ask() }

// ask asks for a key frame.
func (f *feed[F]) ask() {
	f.mu.Lock()
	conn, ssrc, now := f.conn, f.ssrc, time.Now()
	due := conn != nil && now.Sub(f.asked) >= askEvery
	if due {
		f.asked = now
	}
	f.mu.Unlock()
	if due {
		_ = conn.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(ssrc)}}) // it is asked again
	}
}

// arrive notes by what the frames arrive.
func (f *feed[F]) arrive(c *connection, ssrc webrtc.SSRC) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn, f.ssrc, f.asked = c, ssrc, time.Time{}
}

// left notes that they arrive no more.
func (f *feed[F]) left(c *connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn == c {
		f.conn = nil
	}
}

// watch reads frames until the track ends.
func watch(f *feed[*mediav1.VideoFrame], c *connection, track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	codec := codecs.Of(track.Codec().MimeType)
	if codec == nil {
		return
	}
	f.arrive(c, track.SSRC())
	defer f.left(c)
	ids := originIDs(receiver)
	video := frames.NewVideo(codec, frames.VideoConfig{
		NeedKey: f.ask,
		Describe: func(first *rtp.Header, frame *mediav1.VideoFrame) {
			if o, ok := ids.Of(first); ok {
				frame.Epoch, frame.Sequence = o.Epoch, o.Sequence
				if !o.Captured.IsZero() {
					frame.CaptureTime = timestamppb.New(o.Captured)
				}
			}
		},
	})
	counted := uint64(0)
	err := frames.ReadVideo(track, video, func(frame *mediav1.VideoFrame) {
		lost := video.Stats().LostFrames
		f.lost.Add(lost - counted)
		counted = lost
		f.publish(frame)
	})
	if err != nil {
		f.robot.log.Debug("the track ended", "stream", f.want.String(), "error", err)
	}
}

// originIDs are the numbers that were agreed on for the extensions of package origin.
func originIDs(receiver *webrtc.RTPReceiver) (ids origin.IDs) {
	for _, e := range receiver.GetParameters().HeaderExtensions {
		switch e.URI {
		case origin.FrameURI:
			ids.Frame = uint8(e.ID)
		case origin.EpochURI:
			ids.Epoch = uint8(e.ID)
		}
	}
	return ids
}

// sequence decides which frames a reader can use. The zero value waits for a key frame. Unlike media.Resync it takes a
// group of frames that is sent again: by a camera that makes no key frames when asked.
type sequence struct {
	begun       bool
	epoch, next int64
}

// accept reports whether to deliver a frame, and if not, whether a key frame is needed.
func (s *sequence) accept(f *mediav1.VideoFrame) (deliver, stuck bool) {
	same := s.begun && f.GetEpoch() == s.epoch
	switch {
	case same && f.GetSequence() == s.next:
	case f.GetKeyFrame() && (!same || f.GetSequence() > s.next):
	default:
		return false, !same || f.GetSequence() > s.next
	}
	s.begun, s.epoch, s.next = true, f.GetEpoch(), f.GetSequence()+1
	return true, false
}
