package insta360

import (
	"bytes"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

const (
	maxPicture   = 8 << 20 // bytes of one picture
	unitOverhead = 32      // what a NAL unit costs beside its bytes
	lessons      = 2       // whole pictures in one packet each, until all are taken for that
)

// moment is a packet of pictures.
type moment struct {
	packet  int // its number
	time    time.Duration
	arrival time.Time
}

// pictures makes pictures of the packets of a preview. See the package comment.
type pictures struct {
	emit      func(feed.Picture)
	mediaType string // empty until it is known

	now    moment
	open   []byte // the NAL unit that may go on, or the last bytes outside of one
	inUnit bool   // which of them it is
	openAt moment // where it began …
	leads  bool   // … and whether that was the beginning of a packet

	// The picture that is being assembled.
	list    [][]byte
	size    int
	slices  int
	first   moment // of its first slice
	last    int    // the packet in which its last slice ended
	damaged bool   // a part of this picture was lost
	missing bool   // what came before this picture was lost

	whole int  // pictures in a row that came in one packet each
	split bool // they do not
}

// add takes a packet.
func (p *pictures) add(data []byte, at uint64, arrival time.Time) {
	p.now = moment{p.now.packet + 1, duration(at), arrival}
	p.cut(data)
	p.begun()
	if p.complete() {
		if p.inUnit {
			p.unit(p.open, p.now.packet)
			p.open, p.inUnit = nil, false
		}
		if p.slices > 0 {
			p.finish()
		}
	}
	if p.size+len(p.open) > maxPicture {
		p.overflow()
	}
}

// complete tells whether a picture ends with its packet.
func (p *pictures) complete() bool { return p.whole >= lessons && !p.split }

// begun gives the picture away as soon as the beginning of a NAL unit shows that it is over.
func (p *pictures) begun() {
	if !p.inUnit || len(p.open) < roleBytes || p.slices == 0 {
		return
	}
	if r := roles[p.mediaType](p.open); r == opens || r == firstSlice {
		p.learn()
		p.finish()
	}
}

// cut takes the NAL units out of a packet. The last one may go on in the next.
func (p *pictures) cut(data []byte) {
	aligned := startsWithStartCode(data)
	if !p.inUnit && !aligned && p.complete() {
		p.split, p.missing = true, true // the rest of a picture that has been given away
	}
	before := len(p.open)
	rest, from := data, 0
	if before > 0 {
		p.open = append(p.open, data...)
		rest, from = p.open, max(0, before-len(startCode)+1) // a start code may be cut, too
	}
	for leads := aligned; ; leads = false {
		i := bytes.Index(rest[from:], startCode)
		if i < 0 {
			break
		}
		end := from + i
		if p.inUnit {
			p.ended(rest[:end], before)
		}
		rest, from, before = rest[end+len(startCode):], 0, 0
		p.inUnit, p.openAt, p.leads = true, p.now, leads
	}
	if !p.inUnit {
		rest = rest[max(0, len(rest)-len(startCode)+1):]
	}
	p.open = rest
}

// ended takes a NAL unit of which before bytes came in earlier packets.
func (p *pictures) ended(nal []byte, before int) {
	last := p.now.packet
	if len(bytes.TrimRight(nal, "\x00")) <= before {
		last--
	}
	p.unit(nal, last)
}

// unit takes a NAL unit that ended in the packet with the number last.
func (p *pictures) unit(nal []byte, last int) {
	nal = bytes.TrimRight(nal, "\x00")
	if len(nal) == 0 {
		return
	}
	if p.mediaType == "" {
		if p.mediaType = sniff(nal); p.mediaType == "" {
			return
		}
	}
	role := roles[p.mediaType](nal)
	if (role == opens || role == firstSlice) && p.slices > 0 {
		p.learn()
		p.finish()
	}
	if role == laterSlice && p.slices == 0 { // the rest of a picture that has been given away, or its beginning was lost
		p.split = p.split || p.complete()
		p.damaged = true
	}
	if role == firstSlice || role == laterSlice {
		if p.slices == 0 {
			p.first = p.openAt
		}
		p.slices, p.last = p.slices+1, last
	}
	p.list, p.size = append(p.list, nal[:len(nal):len(nal)]), p.size+len(nal)+unitOverhead
}

// learn looks at how a picture came that has just been ended by the next one.
func (p *pictures) learn() {
	if p.damaged || p.split {
		return
	}
	if p.first.packet == p.last && p.leads {
		p.whole++
		return
	}
	p.split = true
}

// finish gives the picture away.
func (p *pictures) finish() {
	picture := feed.Picture{
		MediaType: p.mediaType, Data: p.list, Time: p.first.time, Arrival: p.first.arrival, Damaged: p.damaged,
		Missing: p.missing,
	}
	p.list, p.size, p.slices, p.damaged, p.missing = nil, 0, 0, false, false
	p.emit(picture)
}

// overflow gives up a picture that is too large.
func (p *pictures) overflow() {
	p.list, p.size, p.slices, p.damaged, p.missing = nil, 0, 0, false, true
	p.open, p.inUnit = nil, false
}
