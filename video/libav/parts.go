//go:build cgo && !nolibav

package libav

import (
	"fmt"

	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// part is what a NAL unit is to a decoder. What is neither stays outside: a camera whose remarks are malformed has
// good pictures all the same.
type part int

const (
	other        part = iota
	parameterSet      // or what else a decoder has to know before the picture
	slice
)

// recoveryPoint is the type of the message that says that decoding can begin with a picture that is not a key frame
// (ITU-T H.264, D.2.8). Without it, the library shows nothing of a stream that never has one.
const recoveryPoint = 6

func partOfH264(nal []byte) part {
	switch annexb.Type(nal) {
	case annexb.TypeSlice, annexb.TypeIDR:
		return slice
	case annexb.TypeSPS, annexb.TypePPS:
		return parameterSet
	case annexb.TypeSEI:
		if len(nal) > 2 && nal[1] == recoveryPoint {
			return parameterSet
		}
	}
	return other
}

func partOfH265(nal []byte) part {
	const (
		lastSlice = 21 // CRA; the types behind it are reserved
		vps, pps  = 32, 34
	)
	switch t := int(nal[0] >> 1 & 0x3f); {
	case len(nal) < 3:
		return other
	case t <= lastSlice:
		return slice
	case t >= vps && t <= pps:
		return parameterSet
	}
	return other
}

// gatherParts is gather for Annex B. Parameter sets that come alone wait for the picture.
func (d *Decoder) gatherParts(data []byte) (ready bool, err error) {
	found := false
	for nal := range annexb.NALs(data) {
		found = true
		p := d.kind.part(nal)
		if p != other {
			d.unit = annexb.Append(d.unit, nal)
		}
		ready = ready || p == slice
	}
	if !found {
		return false, fmt.Errorf("%d bytes without a NAL unit (Annex B start code): %w", len(data), ErrCorrupt)
	}
	return ready, nil
}
