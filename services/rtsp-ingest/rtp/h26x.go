package rtp

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// h264 is H.264 in packets (RFC 6184), whatever packetization mode was announced.
type h264 struct{}

// Types of H.264 packets that are not a NAL unit of their own. B has a decoding order number, which is not
// looked at: cameras send in order.
const (
	h264StapA = 24
	h264StapB = 25
	h264MTAP  = 26
	h264MTAP2 = 27
	h264FuA   = 28
	h264FuB   = 29
)

func (h264) unpack(p []byte, u *units) {
	switch t := p[0] & 0x1f; {
	case startsWithStartCode(p):
		u.whole(p)
	case t == h264StapA:
		aggregate(p[1:], u)
	case t == h264StapB:
		aggregate(p[min(3, len(p)):], u)
	case t == h264FuA, t == h264FuB:
		h264Fragment(p, t == h264FuB, u)
	case t == h264MTAP:
		aggregateTimed(p[min(3, len(p)):], 3, u)
	case t == h264MTAP2:
		aggregateTimed(p[min(3, len(p)):], 4, u)
	case t == 0, t > h264FuB: // without a meaning
	default:
		u.whole(p)
	}
}

func h264Fragment(p []byte, numbered bool, u *units) {
	if len(p) < 2 {
		return
	}
	start, end, data := p[1]&0x80 != 0, p[1]&0x40 != 0, p[2:]
	if start {
		if numbered {
			data = data[min(2, len(data)):]
		}
		u.open(p[0]&0xe0 | p[1]&0x1f) // later fragments may say another type
	}
	u.fragment(data, end)
}

func (h264) slice(unit []byte) (is, first bool) {
	switch unit[0] & 0x1f {
	case 1, 2, 5:
		return true, len(unit) > 1 && unit[1]&0x80 != 0 // first_mb_in_slice is 0
	case 3, 4: // partitions B and C
		return true, false
	}
	return false, false
}

func (c h264) continues(p []byte) bool {
	switch t := p[0] & 0x1f; {
	case t != h264FuA && t != h264FuB:
	case len(p) < 3 || t == h264FuB:
		return false
	case p[1]&0x80 == 0:
		return true
	default:
		p = []byte{p[1] & 0x1f, p[2]}
	}
	slice, first := c.slice(p)
	return slice && !first
}

// h265 is H.265 in packets (RFC 7798). Decoding order numbers are left out: cameras send in order.
type h265 struct{ numbered bool }

// Types of H.265 packets that are not a NAL unit of their own.
const (
	h265AP   = 48
	h265FU   = 49
	h265PACI = 50
)

func (c h265) unpack(p []byte, u *units) {
	switch t := p[0] >> 1 & 0x3f; {
	case startsWithStartCode(p):
		u.whole(p)
	case len(p) < 2: // not even a header
	case t == h265AP && c.numbered:
		aggregateNumbered(p[min(4, len(p)):], u)
	case t == h265AP:
		aggregate(p[2:], u)
	case t == h265FU:
		c.fragment(p, u)
	case t == h265PACI:
		inner := unwrap(p)
		if inner == nil {
			u.torn = true
			return
		}
		c.unpack(inner, u)
	case t > h265PACI: // without a meaning
		u.torn = true
	case c.numbered:
		u.whole(slices.Concat(p[:2], p[min(4, len(p)):]))
	default:
		u.whole(p)
	}
}

func (c h265) fragment(p []byte, u *units) {
	if len(p) < 3 {
		return
	}
	data := p[3:]
	if start := p[2]&0x80 != 0; start {
		if c.numbered {
			data = data[min(2, len(data)):]
		}
		u.open(p[0]&0x81|p[2]&0x3f<<1, p[1])
	}
	u.fragment(data, p[2]&0x40 != 0)
}

// unwrap returns what a PACI packet holds (RFC 7798, 4.4.4), nil if that is nothing, or such a packet again.
func unwrap(p []byte) []byte {
	if len(p) < 4 {
		return nil
	}
	kind, extension := p[2]>>1&0x3f, int(p[2]&1)<<4|int(p[3]>>4)
	if kind >= h265PACI || len(p) <= 4+extension {
		return nil
	}
	return append([]byte{p[0]&0x81 | kind<<1, p[1]}, p[4+extension:]...)
}

func (c h265) continues(p []byte) bool {
	if len(p) > 3 && p[0]>>1&0x3f == h265FU {
		if p[2]&0x80 == 0 {
			return true
		}
		p = []byte{p[2] & 0x3f << 1, p[1], p[3]}
	}
	slice, first := c.slice(p)
	return slice && !first && !c.numbered
}

func (h265) slice(unit []byte) (is, first bool) {
	if len(unit) < 3 || unit[0]>>1&0x3f >= 32 {
		return false, false
	}
	return true, unit[2]&0x80 != 0 // first_slice_segment_in_pic_flag
}

// aggregate takes a packet of several NAL units apart, each with its size in front. Padding with zeros is left out.
func aggregate(b []byte, u *units) {
	for len(b) >= 2 {
		n := int(binary.BigEndian.Uint16(b))
		b = b[2:]
		if n > len(b) {
			u.torn = true
			return
		}
		if n > 0 {
			u.whole(b[:n:n])
		}
		b = b[n:]
	}
}

// aggregateTimed takes an MTAP of H.264 apart (RFC 6184, 5.7.2): each NAL unit has a number and a time in front.
func aggregateTimed(b []byte, head int, u *units) {
	for len(b) >= 2 {
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n < head || n > len(b) {
			u.torn = true
			return
		}
		if n > head {
			u.whole(b[head:n:n])
		}
		b = b[n:]
	}
}

// aggregateNumbered takes a packet of several NAL units apart of which all but the first have a number of one byte in
// front.
func aggregateNumbered(b []byte, u *units) {
	for len(b) >= 2 {
		n := 2 + int(binary.BigEndian.Uint16(b))
		aggregate(b[:min(n, len(b))], u)
		b = b[min(n+1, len(b)):]
	}
}

func startsWithStartCode(b []byte) bool {
	return bytes.HasPrefix(b, startCode) || bytes.HasPrefix(b, []byte{0, 0, 0, 1})
}
