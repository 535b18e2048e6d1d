package rtp

import (
	"bytes"
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/rtp/order"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// pictureMPEG4 assembles MPEG-4 part 2 (RFC 6416, 5): a picture is what has one timestamp, or ends with a marker. It
// begins with a start code; what was sent before a picture, such as its configuration, is a part of it.
type pictureMPEG4 struct {
	timestamp uint32
	begun     bool // a picture is under way
	first     moment
	data      []byte
	torn      bool // a part of it was lost, or it is too large
	gap       bool // packets were lost, and none of the next picture came since
	missing   bool // what came between the picture before and this one was lost
	restart   bool

	ended bool // the picture before this one ended with a marker …
	lies  bool // … which once was not at the end
}

func (a *pictureMPEG4) packet(p *rtp.Packet, m moment, n order.News, to feed.Receiver) {
	if n.Restart {
		*a = pictureMPEG4{restart: true, lies: a.lies, gap: true}
	}
	if n.Lost > 0 {
		a.torn, a.gap = a.torn || a.begun, true
	}
	if p.Timestamp != a.timestamp {
		if a.begun {
			a.end(to)
		}
		a.ended = false
	}
	if len(p.Payload) == 0 {
		return
	}
	a.timestamp = p.Timestamp
	if !a.begun {
		a.begin(p.Payload, m)
	}
	a.add(p.Payload)
	if p.Marker && !a.lies {
		a.end(to)
		a.ended = true
	}
}

// begin begins a picture with the first of it that came.
func (a *pictureMPEG4) begin(payload []byte, m moment) {
	a.begun, a.first, a.data = true, m, nil
	whole := bytes.HasPrefix(payload, startCode)
	if !whole && a.ended && !a.gap {
		a.lies = true
	}
	a.torn = !whole
	a.missing = a.missing || a.gap
	a.gap = false
}

func (a *pictureMPEG4) add(payload []byte) {
	if len(a.data)+len(payload) > maxPicture {
		a.torn, a.data = true, nil
		return
	}
	a.data = append(a.data, payload...)
}

// end gives away the picture.
func (a *pictureMPEG4) end(to feed.Receiver) {
	p := feed.Picture{
		MediaType: feed.MPEG4, Data: [][]byte{a.data}, Time: a.first.media, Arrival: a.first.arrival,
		Damaged: a.torn, Missing: a.missing, Restart: a.restart,
	}
	a.begun, a.data, a.torn, a.missing, a.restart = false, nil, false, false, false
	if to.Picture != nil {
		to.Picture(p)
	}
}

func (*pictureMPEG4) deadline() time.Time             { return time.Time{} }
func (*pictureMPEG4) expire(time.Time, feed.Receiver) {}
