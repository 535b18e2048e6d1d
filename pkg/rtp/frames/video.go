package frames

import (
	"time"

	"github.com/pion/rtp"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/media/clock"
	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/order"
)

const (
	// window is how many packets may wait for a late one: 50 ms at 100 Mbit/s. reorder is how long: on the way of most
	// peers a packet that is asked for again is here by then.
	window  = 512
	reorder = 50 * time.Millisecond
	// insist is how long a key frame that was asked for may take, and patience how long the first one may take, which
	// senders begin with unasked.
	insist   = 500 * time.Millisecond
	patience = 100 * time.Millisecond
	// maxFrame bounds a frame, in bytes.
	maxFrame = 8 << 20
)

// VideoConfig adjusts a [Video]. Its zero value works.
type VideoConfig struct {
	// Epoch is that of all frames. 0: a random one.
	Epoch int64
	// NeedKey is called when decoding cannot go on without a key frame, on the goroutine of the caller. It must not
	// block. May be nil.
	NeedKey func()
	// Resend is called with the numbers of packets that are missing: at once, and every 20 ms until they come or are given
	// up. It must not block. May be nil.
	Resend func(numbers []uint16)
	// Describe completes a frame with what its first packet says of it in header extensions. May be nil.
	Describe func(first *rtp.Header, frame *mediav1.VideoFrame)
}

// VideoStats counts since the beginning.
type VideoStats struct {
	Frames      uint64 // that came out
	LostPackets uint64 // that never came, or too late
	LostFrames  uint64 // that were lost in part or whole, or left out because of that, as far as is known
	Asked       uint64 // key frames that were asked for
	Resend      uint64 // packets that were asked for again, once each
}

// Video makes frames of the packets of one track.
type Video struct {
	codec  *codecs.Codec
	config VideoConfig
	queue  order.Queue
	ticks  order.Timeline
	clock  *clock.Estimator
	stream *picture.Stream
	next   int64 // sequence of the next frame
	begun  bool  // a packet of this SSRC has come
	asks   asks
	asked  time.Time // when a key frame was asked for last, zero if none is needed
	stats  VideoStats

	depacketizer rtp.Depacketizer // nil: a new one is due
	frame        assembly
	damage       damage
}

// assembly is the frame that is being put together.
type assembly struct {
	begun   bool
	first   rtp.Header
	time    time.Duration // of its timestamp
	arrival time.Time     // of its first packet
	data    []byte
	taken   int  // bytes of payload
	torn    bool // a part is missing
}

// damage is what is known of losses since the last frame.
type damage struct {
	unsure  bool // the beginning of the next frame may be missing
	missing bool // something before the next frame is
	restart bool // the next frame is of another stream
}

// NewVideo returns a Video for packets that carry a codec.
func NewVideo(c *codecs.Codec, config VideoConfig) *Video {
	if config.Epoch == 0 {
		config.Epoch = access.NewID()
	}
	return &Video{
		codec: c, config: config, queue: order.Queue{Window: window, Wait: reorder},
		ticks: order.Timeline{Rate: int64(c.ClockRate)}, clock: clock.New(0), stream: picture.New(c.MediaType, nil),
		damage: damage{unsure: true},
	}
}

// Push takes a packet of the track at its arrival, and gives the frames that have become complete to out. The packet
// must not be changed afterwards.
func (v *Video) Push(p *rtp.Packet, arrival time.Time, out func(*mediav1.VideoFrame)) {
	v.queue.Push(order.Packet{Packet: p, Arrival: arrival}, v.take(out))
	v.askIfNeeded(arrival)
	v.resendIfNeeded(arrival)
}

// Deadline is when Expire is to be called; zero if there is no need. It changes with every Push and Expire.
func (v *Video) Deadline() time.Time {
	give := v.queue.Deadline()
	if again := v.asks.due; !again.IsZero() && again.Before(give) {
		return again
	}
	return give
}

// Expire gives up waiting for packets that did not come before now.
func (v *Video) Expire(now time.Time, out func(*mediav1.VideoFrame)) {
	v.queue.Expire(now, v.take(out))
	v.askIfNeeded(now)
	v.resendIfNeeded(now)
}

// Stats returns what was counted.
func (v *Video) Stats() VideoStats { return v.stats }

// State returns what is known of the stream.
func (v *Video) State() picture.State { return v.stream.State() }

// askIfNeeded asks for a key frame while nothing comes out without one.
func (v *Video) askIfNeeded(now time.Time) {
	switch waits := v.damage.missing || v.damage.restart || v.stream.Waiting(); {
	case !waits:
		v.asked = time.Time{}
	case !v.begun:
		v.begun, v.asked = true, now.Add(patience-insist)
	case v.asked.IsZero() || now.Sub(v.asked) >= insist:
		v.asked = now
		v.stats.Asked++
		if v.config.NeedKey != nil {
			v.config.NeedKey()
		}
	}
}

// take returns what is done with packets in order.
func (v *Video) take(out func(*mediav1.VideoFrame)) func(order.Packet, order.News) {
	return func(p order.Packet, n order.News) {
		v.lose(n)
		if v.frame.begun && p.Timestamp != v.frame.first.Timestamp {
			v.finish(out)
		}
		if len(p.Payload) == 0 {
			return
		}
		v.add(p)
		if p.Marker {
			v.finish(out)
		}
	}
}

// lose takes note of what happened before a packet.
func (v *Video) lose(n order.News) {
	if n.Lost == 0 && !n.Restart {
		return
	}
	v.stats.LostPackets += uint64(n.Lost)
	v.depacketizer = nil
	v.frame.torn = true
	v.damage.unsure = true
	v.damage.missing = v.damage.missing || n.Lost > 0
	if n.Restart {
		v.frame = assembly{}
		v.damage.restart = true
		v.begun = false
	}
}

// add adds a packet to the frame, which it may begin.
func (v *Video) add(p order.Packet) {
	f := &v.frame
	if !f.begun {
		*f = assembly{begun: true, first: p.Header, arrival: p.Arrival, time: v.ticks.Advance(p.Timestamp)}
		f.torn = v.damage.unsure && !v.codec.Begins(p.Payload)
		v.damage.unsure = false
	}
	if f.taken += len(p.Payload); f.torn || f.taken > maxFrame {
		f.torn, f.data = true, nil
		return
	}
	if v.depacketizer == nil {
		v.depacketizer = v.codec.NewDepacketizer()
	}
	part, err := v.depacketizer.Unmarshal(p.Payload)
	if err != nil {
		v.depacketizer = nil
		f.torn = true
		return
	}
	f.data = append(f.data, part...)
}

// finish ends the frame, and gives it to out if it can be decoded.
func (v *Video) finish(out func(*mediav1.VideoFrame)) {
	f, d := v.frame, v.damage
	v.frame, v.damage.missing, v.damage.restart = assembly{}, false, false
	p := picture.Picture{
		MediaType: v.codec.MediaType, Time: f.time, Arrival: f.arrival,
		Damaged: f.torn, Missing: d.missing, Restart: d.restart,
	}
	if f.torn {
		v.depacketizer = nil
	} else {
		p.Data = picture.Parts(v.codec.MediaType, f.data)
	}
	stamp := v.clock.Picture(clock.Sample{Time: p.Time, Arrival: p.Arrival, Restart: p.Restart})
	shown, ok := v.stream.Picture(p, stamp.Time)
	if !ok {
		return
	}
	v.next += int64(shown.Lost)
	frame := &mediav1.VideoFrame{
		Epoch: v.config.Epoch, Sequence: v.next, CaptureTime: timestamppb.New(shown.Time),
		Format: shown.Format, KeyFrame: shown.Key, Data: shown.Data,
	}
	v.next++
	v.stats.Frames++
	v.stats.LostFrames += uint64(shown.Lost)
	if v.config.Describe != nil {
		v.config.Describe(&f.first, frame)
	}
	out(frame)
}
