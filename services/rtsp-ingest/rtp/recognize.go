package rtp

import (
	"encoding/binary"
	"slices"

	"github.com/waldo-robot/waldo/pkg/media"
)

// recognized returns the codec of which a payload holds parameter sets, nil if it holds none. What begins like a set of
// one codec has no meaning in the other.
func recognized(payload []byte) (format, string) {
	switch {
	case len(payload) < 8:
	case isSet264(payload), payload[0]&0x9f == h264StapA && isSet264(payload[3:]):
		return h264{}, media.H264
	case isSet265(payload), isAggregate265(payload):
		return h265{}, media.H265
	}
	return nil, ""
}

// profiles of H.264 that cameras use.
var profiles = []byte{66, 77, 88, 100, 110, 122, 244}

func isSet264(unit []byte) bool {
	return len(unit) > 4 && unit[0]&0x9f == 7 && slices.Contains(profiles, unit[1])
}

// isSet265 knows video and sequence parameter sets of the base layer.
func isSet265(unit []byte) bool { return len(unit) > 4 && unit[0]&^2 == 32<<1 && unit[1] == 1 }

func isAggregate265(payload []byte) bool {
	if payload[0] != h265AP<<1 || payload[1] != 1 {
		return false
	}
	for b := payload[2:]; len(b) > 2; {
		n := min(2+int(binary.BigEndian.Uint16(b)), len(b))
		if isSet265(b[2:n]) {
			return true
		}
		b = b[n:]
	}
	return false
}
