package insta360

import (
	"bytes"

	"github.com/waldo-robot/waldo/pkg/media"
)

var startCode = []byte{0, 0, 1}

func startsWithStartCode(b []byte) bool {
	return bytes.HasPrefix(b, startCode) || bytes.HasPrefix(b, []byte{0, 0, 0, 1})
}

// role is what a NAL unit is to the pictures around it.
type role int

const (
	follows    role = iota // it belongs to the picture before it
	opens                  // it stands before the slices of a picture
	firstSlice             // it is the first slice of a picture
	laterSlice
)

// roleBytes is how much of a NAL unit shows its role.
const roleBytes = 3

// roles returns the role of a NAL unit, by media type.
var roles = map[string]func(nal []byte) role{media.H264: roleH264, media.H265: roleH265}

// roleH264 follows ITU-T H.264, 7.4.1.2.3.
func roleH264(nal []byte) role {
	switch t := nal[0] & 0x1f; {
	case t == 1, t == 2, t == 5:
		return sliceRole(len(nal) > 1 && nal[1]&0x80 != 0) // first_mb_in_slice is 0
	case t == 3, t == 4:
		return laterSlice
	case t >= 6 && t <= 9, t >= 14 && t <= 18:
		return opens
	}
	return follows
}

// roleH265 follows ITU-T H.265, 7.4.2.4.4.
func roleH265(nal []byte) role {
	switch t := nal[0] >> 1 & 0x3f; {
	case t < 32:
		return sliceRole(len(nal) > 2 && nal[2]&0x80 != 0) // first_slice_segment_in_pic_flag
	case t >= 32 && t <= 35, t == 39, t >= 41 && t <= 44, t >= 48 && t <= 55:
		return opens
	}
	return follows
}

func sliceRole(first bool) role {
	if first {
		return firstSlice
	}
	return laterSlice
}

// sniff returns the media type of the stream that a NAL unit comes from, or nothing if it may be from either. Only
// sequence and video parameter sets are sure: as a unit of the other codec, each would be one that must not be there.
func sniff(nal []byte) string {
	switch {
	case len(nal) >= 4 && nal[0]&0x9f == 7 && nal[0]&0x60 != 0:
		return media.H264
	case len(nal) >= 4 && (nal[0] == 0x40 || nal[0] == 0x42) && nal[1] == 1:
		return media.H265
	}
	return ""
}
