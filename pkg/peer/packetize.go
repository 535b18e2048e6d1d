package peer

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

const (
	// payloadSize bounds the payload of a packet, so that it stays within 1280 bytes, which every path carries: with 40 of
	// IPv6, 8 of UDP, 4 of a relay, 16 of SRTP, 12 of RTP, 8 of header extensions, and 2 when it is sent again.
	payloadSize = 1190
	// burst is how many packets of a frame are sent at once, and pace how many per millisecond after that: longer bursts
	// are lost on the way, even on one machine.
	burst, pace = 150, 4
)

// counters are the numbers of the packets of one section. They go on when the section sends another stream: receivers
// drop packets whose numbers go back.
type counters struct {
	mu        sync.Mutex // held while a frame is sent
	seq       uint16     // of the next packet
	timestamp uint32     // of the last frame
	sent      time.Time  // when that was; zero before the first
}

func newCounters() *counters {
	return &counters{seq: uint16(rand.Uint32()), timestamp: rand.Uint32()}
}

// packetizer turns the frames of one stream into packets. It belongs to one goroutine.
type packetizer struct {
	codec     *codecs.Codec
	track     *webrtc.TrackLocalStaticRTP
	payloader rtp.Payloader
	*counters

	began  bool
	anchor time.Time // capture time of the last picture
	// The last frame of sound.
	epoch, sequence, index int64
}

func newPacketizer(c *codecs.Codec, track *webrtc.TrackLocalStaticRTP, numbers *counters) *packetizer {
	return &packetizer{codec: c, track: track, payloader: c.NewPayloader(), counters: numbers}
}

// send sends a frame. Failures are those of the connection, which its owner sees.
func (p *packetizer) send(ctx context.Context, f outFrame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.sent.IsZero() {
		p.sent = now
	}
	if p.codec.Independent {
		p.place(f, now)
	} else {
		p.stamp(f, now)
	}
	p.began, p.sent = true, now
	payloads := p.payloader.Payload(payloadSize, f.data)
	for i, payload := range payloads {
		if i >= burst && i%pace == 0 && !wait(ctx, time.Millisecond) {
			return
		}
		_ = p.track.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, Marker: i == len(payloads)-1, SequenceNumber: p.seq, Timestamp: p.timestamp},
			Payload: payload,
		})
		p.seq++
	}
}

// wait waits for some time; false if ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// maxStep is the longest step of a capture time that is believed.
const maxStep = 10 * time.Second

// stamp gives a picture its timestamp: that of its capture, which only grows. A capture time that is missing, or leaps,
// is replaced by the time now.
func (p *packetizer) stamp(f outFrame, now time.Time) {
	at := f.at
	if at.Unix() <= 0 {
		at = now
	}
	step := at.Sub(p.anchor)
	if !p.began || step < 0 || step > maxStep {
		step = now.Sub(p.sent)
	}
	p.anchor = at
	p.timestamp += max(1, uint32(step.Milliseconds()*int64(p.codec.ClockRate)/1000))
}

// place gives a packet of sound its number and timestamp, so that gaps and silence stay what they are.
func (p *packetizer) place(f outFrame, now time.Time) {
	steps, samples := f.sequence-p.sequence, f.index-p.index
	if !p.began || f.epoch != p.epoch || steps <= 0 || steps > 1000 || samples <= 0 ||
		samples > int64(p.codec.ClockRate)*int64(maxStep/time.Second) {
		steps, samples = 1, max(1, int64(now.Sub(p.sent).Seconds()*float64(p.codec.ClockRate)))
	}
	p.epoch, p.sequence, p.index = f.epoch, f.sequence, f.index
	p.seq += uint16(steps) - 1
	p.timestamp += uint32(samples)
}
