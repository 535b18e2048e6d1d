package inflight

import "encoding/binary"

// Types and flags of HTTP/2 frames (RFC 9113, 6).
const (
	typeHeaders      = 0x1
	typeReset        = 0x3
	typeSettings     = 0x4
	typePing         = 0x6
	typeWindowUpdate = 0x8
	typeContinuation = 0x9

	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	settingInitialWindow = 0x4

	headSize = 9
	// prefaceSize is the size of the client's connection preface.
	prefaceSize = 24
	// maxBody bounds the frames that are inspected. Frames may have 16 KiB unless we announce more,
	// which gRPC does not.
	maxBody = 16 << 10
)

// head is the header of a frame.
type head struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

// scanner cuts passing bytes into frames. It copies only the bodies of the kinds that are inspected.
type scanner struct {
	skip  int // bytes of the preface still to come
	frame func(h head, body []byte)

	buffer [headSize]byte
	have   int // of the head
	head   head
	left   int // of the body
	body   []byte
}

// feed takes the next bytes, in pieces of any size.
func (s *scanner) feed(p []byte) {
	for len(p) > 0 {
		switch {
		case s.skip > 0:
			n := min(s.skip, len(p))
			s.skip, p = s.skip-n, p[n:]
		case s.have < headSize:
			n := copy(s.buffer[s.have:], p)
			s.have, p = s.have+n, p[n:]
			if s.have == headSize {
				s.begin()
			}
		default:
			n := min(s.left, len(p))
			if s.wanted() {
				s.body = append(s.body, p[:n]...)
			}
			s.left, p = s.left-n, p[n:]
		}
		if s.have == headSize && s.left == 0 {
			s.frame(s.head, s.body)
			s.have = 0
		}
	}
}

func (s *scanner) begin() {
	s.head = head{
		length: int(s.buffer[0])<<16 | int(s.buffer[1])<<8 | int(s.buffer[2]),
		kind:   s.buffer[3], flags: s.buffer[4],
		stream: binary.BigEndian.Uint32(s.buffer[5:]) &^ (1 << 31),
	}
	s.left, s.body = s.head.length, s.body[:0]
}

// wanted tells whether the body of the current frame is inspected.
func (s *scanner) wanted() bool {
	switch s.head.kind {
	case typeHeaders, typeContinuation, typeSettings, typePing, typeWindowUpdate:
		return s.head.length <= maxBody
	}
	return false
}

// between tells whether another frame may begin here.
func (s *scanner) between() bool { return s.skip == 0 && s.have == 0 }
