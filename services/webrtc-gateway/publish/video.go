package publish

import (
	"context"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/frames"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

const (
	// estimateEvery is how often a sender is told the most that the device takes. Chromium forgets it after seconds.
	estimateEvery = time.Second
	// firAfter is how soon after a PLI another request counts as not obeyed: then FIR is sent as well.
	firAfter = time.Second
	// keyGap is the least time between two requests for a key frame. A device, and the frames, ask on their own.
	keyGap = 200 * time.Millisecond
	// own is the SSRC of the gateway in RTCP: it sends no media of its own on these connections.
	own = 1
)

// video is the sink of a publication's video. It implements [rtc.Sink].
type video struct {
	publication *Publication
	wake        chan struct{} // has a value when there is a new deadline

	mu     sync.Mutex
	track  *rtc.Incoming // nil before the first packet
	frames *frames.Video
	lost   uint64 // packets that were counted in the metrics
	asked  time.Time
	fir    uint8 // number of the last one
}

// Begin implements [rtc.Sink].
func (v *video) Begin(track rtc.Incoming) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.track, v.lost, v.asked = &track, 0, time.Time{}
	v.frames = frames.NewVideo(track.Codec, frames.VideoConfig{NeedKey: v.requestKey, Resend: v.resend})
	v.poke()
}

// Accept implements [rtc.Sink].
func (v *video) Accept(h *rtp.Header, payload []byte, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.frames == nil {
		return
	}
	before := v.frames.Deadline()
	p := &rtp.Packet{Header: h.Clone(), Payload: append([]byte(nil), payload...)}
	v.frames.Push(p, now, v.publish)
	v.count()
	if after := v.frames.Deadline(); !after.IsZero() && (before.IsZero() || after.Before(before)) {
		v.poke()
	}
}

// Garbage implements [rtc.Sink].
func (v *video) Garbage() {
	v.publication.owner.metrics.garbage.WithLabelValues(v.publication.device).Inc()
}

// poke has work look at the deadline. It never blocks.
func (v *video) poke() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// publish sends a frame to the device. v.mu is held.
func (v *video) publish(f *mediav1.VideoFrame) {
	f.Epoch = v.publication.granted().epoch
	v.publication.owner.publish(v.publication.device, Camera, f)
}

// count brings the metrics up to date. v.mu is held.
func (v *video) count() {
	if lost := v.frames.Stats().LostPackets; lost > v.lost {
		v.publication.owner.metrics.lostOnWay.WithLabelValues(v.publication.device).Add(float64(lost - v.lost))
		v.lost = lost
	}
}

// work gives up on late packets, and tells the sender how much it may send, until ctx ends.
func (v *video) work(ctx context.Context) {
	estimate := time.NewTicker(estimateEvery)
	defer estimate.Stop()
	late := time.NewTimer(0)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-estimate.C:
			v.estimate()
		case <-v.wake:
		case now := <-late.C:
			v.expire(now)
		}
		v.schedule(late)
	}
}

// expire gives up on packets that did not come.
func (v *video) expire(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.frames != nil {
		v.frames.Expire(now, v.publish)
		v.count()
	}
}

// schedule sets a timer to the next deadline.
func (v *video) schedule(late *time.Timer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	late.Stop()
	if v.frames == nil {
		return
	}
	if deadline := v.frames.Deadline(); !deadline.IsZero() {
		late.Reset(time.Until(deadline))
	}
}

// estimate tells the sender the most that the device takes.
func (v *video) estimate() {
	v.mu.Lock()
	track := v.track
	v.mu.Unlock()
	if track == nil {
		return
	}
	track.Report(&rtcp.ReceiverEstimatedMaximumBitrate{
		SenderSSRC: own, Bitrate: float32(v.publication.granted().maxBitrate), SSRCs: []uint32{track.SSRC},
	})
}

// askKey asks the sender for a key frame, because the device wishes one.
func (v *video) askKey() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requestKey()
}

// requestKey asks the sender for a key frame. v.mu is held.
func (v *video) requestKey() {
	now := time.Now()
	since := now.Sub(v.asked)
	if v.track == nil || !v.asked.IsZero() && since < keyGap {
		return
	}
	packets := []rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: own, MediaSSRC: v.track.SSRC}}
	if !v.asked.IsZero() && since < firAfter {
		v.fir++
		packets = append(packets, &rtcp.FullIntraRequest{SenderSSRC: own, MediaSSRC: v.track.SSRC,
			FIR: []rtcp.FIREntry{{SSRC: v.track.SSRC, SequenceNumber: v.fir}}})
	}
	v.asked = now
	v.track.Report(packets...)
	v.publication.owner.metrics.keysAsked.WithLabelValues(v.publication.device).Inc()
}

// resend asks the sender for packets again. v.mu is held.
func (v *video) resend(numbers []uint16) {
	v.track.Report(&rtcp.TransportLayerNack{
		SenderSSRC: own, MediaSSRC: v.track.SSRC, Nacks: rtcp.NackPairsFromSequenceNumbers(numbers),
	})
	v.publication.owner.metrics.resends.WithLabelValues(v.publication.device).Add(float64(len(numbers)))
}
