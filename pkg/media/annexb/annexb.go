// Package annexb parses H.264 in Annex B format, the byte stream in which a start code (00 00 01 or 00
// 00 00 01) precedes every NAL unit: which units it contains, whether decoding can start, and how large
// the picture is. It decodes no pixels.
//
// All functions accept any bytes; invalid input yields nothing or an error, never a panic. Units are
// slices of the input.
package annexb

import (
	"bytes"
	"iter"
)

// Types of NAL units that matter to a container or a reader.
const (
	TypeSlice = 1 // part of a picture that needs earlier ones
	TypeIDR   = 5 // part of a key frame
	TypeSEI   = 6
	TypeSPS   = 7 // sequence parameter set: picture size
	TypePPS   = 8 // picture parameter set
	TypeAUD   = 9 // access unit delimiter
)

// Type returns the type of a NAL unit, and 0 for an empty one.
func Type(nal []byte) int {
	if len(nal) == 0 {
		return 0
	}
	return int(nal[0] & 0x1f)
}

// NALs iterates over the NAL units of a stream, without start codes and trailing zeros. Bytes before the
// first start code and empty units are left out.
func NALs(stream []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest, ok := afterStartCode(stream)
		for ok {
			end := bytes.Index(rest, startCode)
			nal := rest
			if end >= 0 {
				nal = rest[:end]
			}
			nal = bytes.TrimRight(nal, "\x00")
			if len(nal) > 0 && !yield(nal[:len(nal):len(nal)]) {
				return
			}
			if end < 0 {
				return
			}
			rest = rest[end+len(startCode):]
		}
	}
}

var startCode = []byte{0, 0, 1}

func afterStartCode(b []byte) ([]byte, bool) {
	i := bytes.Index(b, startCode)
	if i < 0 {
		return nil, false
	}
	return b[i+len(startCode):], true
}

// IsKeyFrame reports whether an access unit holds an IDR picture.
func IsKeyFrame(au []byte) bool {
	for nal := range NALs(au) {
		switch Type(nal) {
		case TypeIDR:
			return true
		case TypeSlice:
			return false
		}
	}
	return false
}

// ParameterSets returns the last SPS and PPS of a stream; nil where there is none.
func ParameterSets(stream []byte) (sps, pps []byte) {
	for nal := range NALs(stream) {
		switch Type(nal) {
		case TypeSPS:
			sps = nal
		case TypePPS:
			pps = nal
		}
	}
	return sps, pps
}

// Append appends a start code and the NAL unit to dst.
func Append(dst, nal []byte) []byte {
	return append(append(dst, 0, 0, 0, 1), nal...)
}

// AccessUnits iterates over a stream picture by picture: every access unit with the parameter sets,
// delimiters and SEI messages in front of it, start codes included. A new picture begins at its first
// slice, so streams with several slices per picture are cut correctly.
func AccessUnits(stream []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var unit []byte
		coded := false // unit contains a slice
		for nal := range NALs(stream) {
			if coded && startsUnit(nal) {
				if !yield(unit) {
					return
				}
				unit, coded = nil, false
			}
			unit = Append(unit, nal)
			coded = coded || isSlice(nal)
		}
		if coded {
			yield(unit)
		}
	}
}

func isSlice(nal []byte) bool { return Type(nal) == TypeSlice || Type(nal) == TypeIDR }

// IsB reports whether a NAL unit is a slice of a B picture, which may have to be shown before one that
// was decoded earlier.
func IsB(nal []byte) bool {
	if !isSlice(nal) {
		return false
	}
	r := bitReader{data: Unescape(nal[1:min(len(nal), 16)])}
	r.ue() // first_mb_in_slice
	return r.ue()%5 == 1 && !r.short
}

// startsUnit reports whether a NAL unit after a slice belongs to the next picture. A slice does if it
// begins at macroblock 0: its first bit is then 1 (ue(v) 0).
func startsUnit(nal []byte) bool {
	switch Type(nal) {
	case TypeSlice, TypeIDR:
		return len(nal) > 1 && nal[1]&0x80 != 0
	case TypeSEI, TypeSPS, TypePPS, TypeAUD:
		return true
	}
	return false
}
