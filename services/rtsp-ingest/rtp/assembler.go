package rtp

import (
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/rtp/order"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Config says what the packets of a track carry, as the camera's SDP has it.
type Config struct {
	Track       feed.Track
	PayloadType uint8 // packets of others are counted, but carry nothing
	ClockRate   int   // ticks of the timestamp per second: 90,000 for pictures
	Reorder     bool  // packets may overtake each other: UDP
	AAC         AAC   // of RFC 3640; zero for the usual
	LATM        *LATM // of RFC 6416, nil if AAC is not multiplexed
	Numbered    bool  // H.265 with decoding order numbers (RFC 7798, 4.4)
}

// Assembler makes pictures or sound of the packets of one track.
type Assembler struct {
	payloadType uint8
	order       order.Queue
	clock       order.Timeline
	assembly    assembly
}

// assembly puts together what packets of one kind carry. Packets come in order.
type assembly interface {
	// packet takes the next packet; news is what happened to packets before it.
	packet(p *rtp.Packet, m moment, news order.News, to feed.Receiver)
	// deadline is when expire is due, zero for never.
	deadline() time.Time
	expire(now time.Time, to feed.Receiver)
}

// moment is when a packet was made and when it came.
type moment struct {
	media   time.Duration
	arrival time.Time
}

// New returns an Assembler. The error is a [feed.Error] that says what about the track cannot be used.
func New(c Config) (*Assembler, error) {
	if c.ClockRate < 1 || c.ClockRate > 1_000_000 {
		return nil, feed.Failf(feed.Unsupported, "",
			"%s: a clock rate of %d Hz is not possible: set another codec in the camera", c.Track.MediaType, c.ClockRate)
	}
	assembly, err := newAssembly(c)
	if err != nil {
		return nil, err
	}
	a := &Assembler{payloadType: c.PayloadType, clock: order.Timeline{Rate: int64(c.ClockRate)}, assembly: assembly}
	if c.Reorder {
		a.order.Window, a.order.Wait = maxHeld, maxWait
	}
	return a, nil
}

func newAssembly(c Config) (assembly, error) {
	switch c.Track.MediaType {
	case media.H264:
		return newUnits(media.H264, h264{}), nil
	case media.H265:
		return newUnits(media.H265, h265{numbered: c.Numbered}), nil
	case media.JPEG:
		return &pictureJPEG{}, nil
	case feed.MPEG4:
		return &pictureMPEG4{}, nil
	case feed.PCMA, feed.PCMU, feed.L16, feed.Opus, feed.G726:
		return &blocks{track: c.Track}, nil
	case feed.AAC:
		if c.LATM != nil {
			return newFramesLATM(c)
		}
		return newFramesAAC(c)
	}
	return nil, feed.Failf(feed.Unsupported, "", "%s by RTP is not supported: set the camera to H.264 and G.711",
		c.Track.MediaType)
}

// Push takes a packet and when it came, and gives what has become complete to to.
func (a *Assembler) Push(p *rtp.Packet, arrival time.Time, to feed.Receiver) {
	if p != nil {
		a.order.Push(order.Packet{Packet: p, Arrival: arrival}, a.next(to))
	}
}

// Restart says that what comes next does not go on with what came before.
func (a *Assembler) Restart() { a.order.Restart() }

// Deadline is when Expire is to be called, zero if there is no need. It changes with every Push and Expire.
func (a *Assembler) Deadline() time.Time {
	return earlier(a.order.Deadline(), a.assembly.deadline())
}

// Expire gives up waiting for what did not come before now.
func (a *Assembler) Expire(now time.Time, to feed.Receiver) {
	a.order.Expire(now, a.next(to))
	if t := a.assembly.deadline(); !t.IsZero() && !now.Before(t) {
		a.assembly.expire(now, to)
	}
}

// Time converts an RTP timestamp, as sender reports have it, to the Time of pictures and sound. It returns
// false for another SSRC than that of the packets, and before the first packet.
func (a *Assembler) Time(ssrc, timestamp uint32) (time.Duration, bool) {
	if !a.order.Follows(ssrc) || !a.clock.Started() {
		return 0, false
	}
	return a.clock.At(timestamp), true
}

// next returns what is done with packets in order.
func (a *Assembler) next(to feed.Receiver) func(order.Packet, order.News) {
	return func(h order.Packet, n order.News) {
		p := h.Packet
		if u, ok := a.assembly.(*units); ok && p.PayloadType == a.payloadType {
			u.recognize(p.Payload)
		}
		if p.PayloadType != a.payloadType {
			p = &rtp.Packet{Header: rtp.Header{Timestamp: a.clock.Last()}}
		}
		a.assembly.packet(p, moment{a.clock.Advance(p.Timestamp), h.Arrival}, n, to)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
