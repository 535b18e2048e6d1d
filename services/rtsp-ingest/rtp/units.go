package rtp

import (
	"bytes"
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/pkg/rtp/order"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// unitOverhead is what a NAL unit costs beside its bytes, so that the bound of bytes holds for many small ones.
const unitOverhead = 32

// format is how a codec of NAL units is put in packets.
type format interface {
	// unpack takes a packet's payload apart.
	unpack(payload []byte, u *units)
	// slice says whether a NAL unit is a part of the coded picture, and whether it is its first.
	slice(unit []byte) (is, first bool)
	// continues says whether a payload goes on with a picture that has begun.
	continues(payload []byte) bool
}

// units assembles pictures of NAL units.
type units struct {
	mediaType string
	format    format
	to        feed.Receiver // while a packet is taken

	now       moment // of the packet that is taken
	timestamp uint32 // of the last packet
	begun     bool   // there was a packet
	latest    time.Time

	// The picture that is being assembled.
	list    [][]byte
	size    int
	slices  int
	coded   int    // units of list up to the last slice
	first   moment // of its first packet
	dated   bool   // first is valid
	torn    bool   // a part was lost
	missing bool   // what came between the picture before and this one was lost
	restart bool
	over    bool // it was too large, and is being left out

	// gap says that packets were lost since the last NAL unit that began.
	gap bool

	// The NAL unit that comes in fragments, nil for none, and when it began.
	fragments   []byte
	fragmentsAt moment

	ends ends
}

// ends is what was learned of how this camera ends pictures.
type ends struct {
	marked  bool // the last whole picture ended with a marker
	lies    bool // markers are not, or not only, at the ends of pictures
	usual   int  // the most slices that a picture had that the next one ended; 0 if unknown
	early   bool // the last picture was ended before the next one began …
	byMark  bool // … by a marker
	earlyAt uint32
}

func newUnits(mediaType string, f format) *units { return &units{mediaType: mediaType, format: f} }

func (u *units) packet(p *rtp.Packet, m moment, n order.News, to feed.Receiver) {
	u.to = to
	u.lose(n)
	if u.begun && p.Timestamp != u.timestamp && !u.goesOn(p, n) {
		u.next()
	}
	u.begun, u.timestamp, u.now = true, p.Timestamp, m
	if len(p.Payload) == 0 {
		return
	}
	u.latest = m.arrival
	if !u.dated {
		u.first, u.dated = m, true
	}
	u.format.unpack(p.Payload, u)
	if p.Marker {
		u.marker()
	}
}

// goesOn tells whether a packet goes on with the picture though it has another timestamp: its first part is here, and
// nothing was lost between.
func (u *units) goesOn(p *rtp.Packet, n order.News) bool {
	return n == order.News{} && len(p.Payload) > 0 && (u.fragments != nil || u.slices > 0) && u.format.continues(p.Payload)
}

// recognize finds out that the camera sends another codec than it announced: by parameter sets, which have no meaning
// in the announced one.
func (u *units) recognize(payload []byte) {
	format, mediaType := recognized(payload)
	if format == nil || mediaType == u.mediaType {
		return
	}
	*u = units{mediaType: mediaType, format: format, to: u.to, restart: true}
}

// lose takes note of what happened before a packet.
func (u *units) lose(n order.News) {
	if n.Restart {
		*u = units{mediaType: u.mediaType, format: u.format, to: u.to, restart: true}
	}
	if n.Lost > 0 || n.Restart {
		u.torn = u.torn || u.slices > 0 || u.fragments != nil
		u.fragments = nil
		u.gap = true
	}
}

// next ends a picture because the timestamp of the next one has come.
func (u *units) next() {
	u.closeFragments()
	if u.slices > 0 {
		u.emitNext()
	}
	u.missing, u.torn = u.missing || u.torn, false
	u.ends.early = false
	u.dated = false // NAL units without a slice go with the next picture, but it began when its own came
}

// emitNext gives the picture away because the next one has begun.
func (u *units) emitNext() {
	if !u.torn {
		u.ends.marked, u.ends.usual = false, max(u.ends.usual, u.slices)
	}
	u.emit()
}

// marker ends a picture at a marker if it is complete.
func (u *units) marker() {
	if u.slices == 0 || u.fragments != nil {
		u.ends.lies = u.ends.lies || !u.torn
		return
	}
	if u.ends.lies && !u.enough() {
		return
	}
	if !u.torn {
		u.ends.marked = true
	}
	u.early(true)
}

// early ends a picture before the next one has begun.
func (u *units) early(byMark bool) {
	u.ends.early, u.ends.byMark, u.ends.earlyAt = true, byMark, u.timestamp
	u.emit()
}

// enough says whether the picture has as many slices as others had.
func (u *units) enough() bool { return u.ends.usual > 0 && u.slices >= u.ends.usual }

func (u *units) deadline() time.Time {
	if u.ends.marked && !u.ends.lies || u.fragments != nil || u.slices == 0 || !u.enough() {
		return time.Time{}
	}
	return u.latest.Add(quiet)
}

func (u *units) expire(_ time.Time, to feed.Receiver) {
	u.to = to
	u.early(false)
}

// emit gives the picture away and begins another.
func (u *units) emit() {
	p := feed.Picture{
		MediaType: u.mediaType, Data: u.list, Time: u.first.media, Arrival: u.first.arrival,
		Damaged: u.torn, Missing: u.missing, Restart: u.restart,
	}
	over := u.over
	u.list, u.size, u.slices, u.coded, u.dated, u.torn, u.over = nil, 0, 0, 0, false, false, false
	if over {
		u.missing = true // and a restart is still to be told
		return
	}
	u.missing, u.restart = false, false
	if u.to.Picture != nil {
		u.to.Picture(p)
	}
}

// whole takes a NAL unit that came in one piece.
func (u *units) whole(unit []byte) {
	u.closeFragments()
	u.add(unit, u.now)
}

// open begins a NAL unit that comes in fragments.
func (u *units) open(header ...byte) {
	u.closeFragments()
	u.fragments, u.fragmentsAt = append(make([]byte, 0, 4096), header...), u.now
}

// fragment adds to the NAL unit that was opened.
func (u *units) fragment(b []byte, end bool) {
	switch {
	case u.fragments == nil:
		u.torn = u.torn || len(b) > 0 // its beginning was lost
		return
	case u.size+len(u.fragments)+len(b) > maxPicture:
		u.fragments = nil
		u.overflow()
		return
	}
	u.fragments = append(u.fragments, b...)
	if end {
		u.closeFragments()
	}
}

// closeFragments ends a NAL unit, even if the camera did not say that it ends: nothing of it was lost.
func (u *units) closeFragments() {
	if unit := u.fragments; unit != nil {
		u.fragments = nil
		u.add(unit, u.fragmentsAt)
	}
}

// add adds a NAL unit, or several with start codes.
func (u *units) add(unit []byte, m moment) {
	if !bytes.Contains(unit, startCode) {
		u.addOne(unit, m)
		return
	}
	for one := range annexb.NALs(append(bytes.Clone(startCode), unit...)) {
		u.addOne(one, m)
	}
}

var startCode = []byte{0, 0, 1}

func (u *units) addOne(unit []byte, m moment) {
	if len(unit) == 0 {
		return
	}
	slice, first := u.format.slice(unit)
	if first && u.slices > 0 {
		u.sameTime(m)
	}
	if slice && !first && u.slices == 0 {
		u.headless()
	}
	if u.gap {
		u.gap = false
		u.missing = true
	}
	if u.size += len(unit) + unitOverhead; u.size > maxPicture {
		u.overflow()
		return
	}
	u.list = append(u.list, unit)
	if slice {
		u.slices, u.coded = u.slices+1, len(u.list)
	}
}

// overflow gives up a picture that is too large. It ends like others, but is not given away.
func (u *units) overflow() {
	u.list, u.coded, u.size, u.over, u.slices = nil, 0, maxPicture, true, max(u.slices, 1)
}

// sameTime begins a picture that has the timestamp of the one before. What came behind the slices of that one
// belongs to the new one.
func (u *units) sameTime(m moment) {
	behind := u.list[u.coded:]
	u.list = u.list[:u.coded:u.coded]
	u.emitNext()
	u.first, u.dated = m, true
	for _, unit := range behind {
		u.list, u.size = append(u.list, unit), u.size+len(unit)+unitOverhead
	}
}

// headless takes note that the first slice of a picture is not the first one of the coded picture: either that
// was lost, or the picture was ended too early.
func (u *units) headless() {
	u.torn = true
	if !u.gap && u.ends.early && u.ends.earlyAt == u.timestamp {
		u.ends.lies = u.ends.lies || u.ends.byMark
		u.ends.usual = 0
	}
}
