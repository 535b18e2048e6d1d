package picture

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

type h264Codec struct{}

func (h264Codec) role(unit []byte) role {
	switch annexb.Type(unit) {
	case annexb.TypeIDR:
		return key
	case annexb.TypeSlice, 2, 3, 4: // and partitions
		return slice
	case annexb.TypeSEI:
		return message
	case annexb.TypeSPS:
		return sequenceSet
	case annexb.TypePPS:
		return pictureSet
	}
	return unused
}

func (h264Codec) sequence(unit []byte) (*sequence, error) {
	size, coding, err := annexb.ParseSPSAndCoding(unit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSet, err)
	}
	var p h264.SPS
	if p.Unmarshal(unit) != nil { // it ends behind the size, where not all cameras keep to the standard
		p.VUI = nil
	}
	if p.ID > 31 || p.PicOrderCntType > 2 || p.Log2MaxFrameNumMinus4 > 12 || p.Log2MaxPicOrderCntLsbMinus4 > 12 {
		return nil, errSet
	}
	s := &sequence{
		id: int(p.ID), profile: h264Profile(size), width: size.Width, height: size.Height,
		plain: size.Profile == 66 || size.Profile == 77 || size.Profile == 100,
		depth: coding.Depth, chroma: coding.Chroma, interlaced: coding.Interlaced, reorders: h264Reorders(&p),
		frameNumBits: int(p.Log2MaxFrameNumMinus4) + 4, planes: p.SeparateColourPlaneFlag,
	}
	if p.PicOrderCntType == 0 {
		s.orderBits = int(p.Log2MaxPicOrderCntLsbMinus4) + 4
	}
	if p.VUI != nil {
		s.rate = p.FPS()
	}
	return s, s.check()
}

// h264Reorders says what the parameter set promises.
func h264Reorders(p *h264.SPS) reordering {
	switch {
	case p.ProfileIdc == 66, p.PicOrderCntType == 2:
		return no
	case p.ProfileIdc == 100 && p.ConstraintSet4Flag && p.ConstraintSet5Flag: // Constrained High
		return no
	case p.VUI == nil || p.VUI.BitstreamRestriction == nil:
		return unknown
	case p.VUI.BitstreamRestriction.MaxNumReorderFrames > 0:
		return yes
	}
	return no
}

// h264Profile names profile and level, as people know them from the settings of cameras.
func h264Profile(s annexb.SPS) string {
	set := func(n int) bool { return s.Constraints&(0x80>>n) != 0 }
	name := map[int]string{
		66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2", 244: "High 4:4:4",
	}[s.Profile]
	switch {
	case name == "":
		name = fmt.Sprintf("profile %d", s.Profile)
	case s.Profile == 66 && set(1):
		name = "Constrained Baseline"
	case s.Profile == 100 && set(4) && set(5):
		name = "Constrained High"
	}
	if s.Profile < 100 && s.Level == 11 && set(3) {
		return name + " 1b"
	}
	return fmt.Sprintf("%s %d.%d", name, s.Level/10, s.Level%10)
}

func (h264Codec) videoID([]byte) (int, bool) { return 0, false }

func (h264Codec) pictureIDs(unit []byte) (id, sequence int, ok bool) {
	r := newReader(unit, 1, headerBytes)
	p, s := r.ue(), r.ue()
	return int(p), int(s), !r.short && p <= maxNumber && s <= 31
}

func (h264Codec) pictureSet(unit []byte) (id int, ok bool) {
	r := newReader(unit, 1, headerBytes)
	r.ue() // first_mb_in_slice
	r.ue() // slice_type
	p := r.ue()
	return int(p), !r.short && p <= maxNumber
}

func (h264Codec) recovers(message []byte) bool { return hasRecoveryPoint(message[1:]) }

func (h264Codec) intra(slice []byte) bool {
	r := newReader(slice, 1, headerBytes)
	r.ue() // first_mb_in_slice
	kind := r.ue() % 5
	return !r.short && (kind == 2 || kind == 4) // I, SI
}

// recoveryPoint is a message that says that decoding can begin with its picture, and that it is whole then: decoders
// want one where there is no IDR.
var recoveryPoint = []byte{6, 6, 1, 0xc4, 0x80}

// hasRecoveryPoint looks for one among the messages of a NAL unit, behind its header. Its number is the same in H.264
// and H.265.
func hasRecoveryPoint(b []byte) bool {
	const kind = 6
	number := func() (n int) {
		for len(b) > 0 && b[0] == 0xff {
			n, b = n+255, b[1:]
		}
		if len(b) > 0 {
			n, b = n+int(b[0]), b[1:]
		}
		return n
	}
	for len(b) > 2 {
		if number() == kind {
			return true
		}
		size := number()
		b = b[min(size, len(b)):]
	}
	return false
}

func (h264Codec) order(unit []byte, s *sequence) (count, bits int, ok bool) {
	if s.orderBits == 0 || s.interlaced {
		return 0, 0, false
	}
	r := newReader(unit, 1, headerBytes)
	r.ue() // first_mb_in_slice
	r.ue() // slice_type
	r.ue() // pic_parameter_set_id
	if s.planes {
		r.bits(2) // colour_plane_id
	}
	r.bits(s.frameNumBits)
	if annexb.Type(unit) == annexb.TypeIDR {
		r.ue() // idr_pic_id
	}
	count = int(r.bits(s.orderBits))
	return count, s.orderBits, !r.short
}
