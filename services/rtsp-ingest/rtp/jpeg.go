package rtp

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/mjpeg"
	"github.com/waldo-robot/waldo/pkg/rtp/order"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// pictureJPEG assembles JPEGs of packets (RFC 2435). A picture of which a part was lost, or whose header makes
// no sense, is left out: the next one says Missing.
type pictureJPEG struct {
	timestamp uint32
	first     moment
	header    headerJPEG
	data      []byte // the coded picture so far
	begun     bool   // header and data are of a picture under way
	missing   bool
	restart   bool

	cached map[byte][][]byte // tables by Q: some are sent once for several pictures
}

// headerJPEG is what the first packet of a picture says of it.
type headerJPEG struct {
	kind          byte // 0: 4:2:2, 1: 4:2:0
	width, height int
	restarts      uint16   // interval of restart markers, 0 for none
	tables        [][]byte // for quantization, as segments have them: precision and number, values
}

func (j *pictureJPEG) packet(p *rtp.Packet, m moment, n order.News, to feed.Receiver) {
	if n.Restart {
		*j = pictureJPEG{restart: true}
	}
	if n.Lost > 0 {
		j.drop()
	}
	if j.begun && p.Timestamp != j.timestamp { // without a marker
		j.end(to)
	}
	if len(p.Payload) == 0 {
		return
	}
	j.timestamp = p.Timestamp
	if !j.add(p.Payload, m) {
		j.drop()
		return
	}
	if p.Marker {
		j.end(to)
	}
}

func (j *pictureJPEG) drop() { j.begun, j.data, j.missing = false, nil, true }

// add takes the payload of a packet. It returns false if the picture cannot become whole.
func (j *pictureJPEG) add(b []byte, m moment) bool {
	if len(b) < 8 {
		return false
	}
	offset, kind, q := int(binary.BigEndian.Uint32(b)&0xffffff), b[4], b[5]
	h := headerJPEG{width: int(b[6]) * 8, height: int(b[7]) * 8}
	if h.kind = kind; kind >= 64 && kind <= 127 {
		h.kind = kind - 64
	}
	b = b[8:]
	if h.kind != kind {
		if len(b) < 4 {
			return false
		}
		h.restarts = binary.BigEndian.Uint16(b)
		b = b[4:]
	}
	if offset == 0 {
		var ok bool
		if h.tables, b, ok = j.tables(q, b); !ok || h.kind > 1 || h.width == 0 || h.height == 0 {
			return false
		}
		j.header, j.first, j.begun, j.data = h, m, true, nil
	}
	if !j.begun || offset != len(j.data) || len(j.data)+len(b) > maxPicture {
		return false
	}
	j.data = append(j.data, b...)
	return true
}

// tables returns the tables for quantization that Q stands for, which the packet holds if Q is 128 or more.
func (j *pictureJPEG) tables(q byte, b []byte) (tables [][]byte, rest []byte, ok bool) {
	switch {
	case q >= 1 && q <= 99:
		if j.cached[q] == nil {
			j.cache(q, usualTables(q))
		}
		return j.cached[q], b, true
	case q < 128 || len(b) < 4:
		return nil, nil, false
	}
	precision, n := b[1], int(binary.BigEndian.Uint16(b[2:]))
	if b = b[4:]; n > len(b) {
		return nil, nil, false
	}
	if n == 0 { // as before
		tables, ok = j.cached[q]
		return tables, b, ok
	}
	tables = splitTables(precision, b[:n])
	j.cache(q, tables)
	return tables, b[n:], len(tables) > 0
}

func (j *pictureJPEG) cache(q byte, tables [][]byte) {
	if j.cached == nil {
		j.cached = make(map[byte][][]byte)
	}
	j.cached[q] = tables
}

// splitTables cuts up to three tables of 64 values of 1 byte, or 2 if their bit of precision is set, and puts
// precision and number in front.
func splitTables(precision byte, b []byte) (tables [][]byte) {
	for number := byte(0); number < 3; number++ {
		wide := precision >> number & 1
		size := 64 << wide
		if size > len(b) {
			break
		}
		tables = append(tables, append([]byte{wide<<4 | number}, b[:size]...))
		b = b[size:]
	}
	return tables
}

// usualTables makes the tables of a quality of 1 to 99: RFC 2435 scales those of ITU-T T.81, annex K, as
// everybody does.
func usualTables(quality byte) [][]byte {
	var out bytes.Buffer
	blank := image.NewRGBA(image.Rect(0, 0, 8, 8))
	if err := jpeg.Encode(&out, blank, &jpeg.Options{Quality: int(quality)}); err != nil {
		return nil // cannot fail: it is all in memory
	}
	b := out.Bytes()
	at := bytes.Index(b, []byte{0xff, 0xdb})
	return splitTables(0, append(bytes.Clone(b[at+5:at+5+64]), b[at+5+65:at+5+65+64]...))
}

// end gives away the picture.
func (j *pictureJPEG) end(to feed.Receiver) {
	data := j.data
	if !bytes.HasPrefix(data, []byte{0xff, 0xd8, 0xff}) { // some send a whole JPEG all the same
		data = append(j.header.segments(), data...)
	}
	if !bytes.HasSuffix(data, []byte{0xff, 0xd9}) {
		data = append(data, 0xff, 0xd9)
	}
	p, _, ok := mjpeg.Next(data) // adds the Huffman tables
	if !ok {
		j.drop()
		return
	}
	out := feed.Picture{
		MediaType: media.JPEG, Data: [][]byte{p.Data}, Time: j.first.media, Arrival: j.first.arrival,
		Missing: j.missing, Restart: j.restart,
	}
	j.begun, j.data, j.missing, j.restart = false, nil, false, false
	if to.Picture != nil {
		to.Picture(out)
	}
}

// segments is what stands in front of the coded picture, without the Huffman tables.
func (h headerJPEG) segments() []byte {
	out := []byte{0xff, 0xd8}
	if h.restarts > 0 {
		out = segment(out, 0xdd, binary.BigEndian.AppendUint16(nil, h.restarts)...)
	}
	for _, table := range h.tables {
		out = segment(out, 0xdb, table...)
	}
	last := byte(len(h.tables) - 1)
	sampling := [2]byte{0x21, 0x22}[h.kind]
	out = segment(out, 0xc0, 8, byte(h.height>>8), byte(h.height), byte(h.width>>8), byte(h.width), 3,
		1, sampling, 0, 2, 0x11, min(1, last), 3, 0x11, last)
	return segment(out, 0xda, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0)
}

func segment(out []byte, marker byte, body ...byte) []byte {
	out = append(out, 0xff, marker)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(body)))
	return append(out, body...)
}

func (*pictureJPEG) deadline() time.Time             { return time.Time{} }
func (*pictureJPEG) expire(time.Time, feed.Receiver) {}
