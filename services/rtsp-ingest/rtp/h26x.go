package rtp

import (
	"bytes"
	"encoding/binary"
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
	case t == h264MTAP, t == h264MTAP2: // never seen from a camera
		u.torn = true
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

// h265 is H.265 in packets (RFC 7798) without decoding order numbers.
type h265 struct{}

// Types of H.265 packets that are not a NAL unit of their own.
const (
	h265AP = 48
	h265FU = 49
)

func (h265) unpack(p []byte, u *units) {
	switch t := p[0] >> 1 & 0x3f; {
	case startsWithStartCode(p):
		u.whole(p)
	case len(p) < 2: // not even a header
	case t == h265AP:
		aggregate(p[2:], u)
	case t == h265FU:
		h265Fragment(p, u)
	case t > h265FU: // PACI, and others that no camera was seen to send
		u.torn = true
	default:
		u.whole(p)
	}
}

func h265Fragment(p []byte, u *units) {
	if len(p) < 3 {
		return
	}
	if start := p[2]&0x80 != 0; start {
		u.open(p[0]&0x81|p[2]&0x3f<<1, p[1])
	}
	u.fragment(p[3:], p[2]&0x40 != 0)
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

func startsWithStartCode(b []byte) bool {
	return bytes.HasPrefix(b, startCode) || bytes.HasPrefix(b, []byte{0, 0, 0, 1})
}
