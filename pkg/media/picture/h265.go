package picture

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

type h265Codec struct{}

// Types of NAL units of H.265 (ITU-T H.265, table 7-1).
const (
	h265RASLN = 8  // leading pictures that need some before the key frame, 8 and 9
	h265BLA   = 16 // 16 to 18: key frames after a cut
	h265IDR   = 19 // and 20
	h265CRA   = 21
	h265VPS   = 32
	h265SPS   = 33
	h265PPS   = 34
	h265SEI   = 39 // and 40
)

func h265Type(unit []byte) int { return int(unit[0] >> 1 & 0x3f) }

func (h265Codec) role(unit []byte) role {
	if len(unit) < 3 || unit[0]&1 != 0 || unit[1]>>3 != 0 { // nothing in it, or of another layer
		return unused
	}
	switch t := h265Type(unit); {
	case t == h265IDR, t == h265IDR+1:
		return key
	case t >= h265BLA && t <= h265CRA:
		return openKey
	case t == h265RASLN, t == h265RASLN+1:
		return leading
	case t < h265BLA:
		return slice
	case t == h265VPS:
		return videoSet
	case t == h265SPS:
		return sequenceSet
	case t == h265PPS:
		return pictureSet
	case t == h265SEI, t == h265SEI+1:
		return message
	}
	return unused
}

// sequence reads a parameter set up to the reordering of pictures. What follows is long, and not all cameras keep to
// the standard there; it is only asked for the rate and for fields.
func (h265Codec) sequence(unit []byte) (*sequence, error) {
	r := newReader(unit, 2, maxSet)
	s := &sequence{video: int(r.bits(4))}
	layers := int(r.bits(3)) // more than one
	r.bits(1)                // sps_temporal_id_nesting_flag
	r.h265Profile(s, layers)
	id := r.ue()
	s.id = int(id)
	r.h265Size(s)
	luma, chroma := r.ue(), r.ue()
	orderBits := r.ue() + 4
	first := layers
	if r.flag() { // sps_sub_layer_ordering_info_present_flag
		first = 0
	}
	for range layers - first + 1 {
		r.ue() // sps_max_dec_pic_buffering_minus1
		if s.reorders = no; r.ue() > 0 {
			s.reorders = yes
		}
		r.ue() // sps_max_latency_increase_plus1
	}
	if r.short || id > 15 || luma > 8 || chroma > 8 || s.chroma > 3 || orderBits > maxLog2 {
		return nil, errSet
	}
	s.depth = 8 + int(max(luma, chroma))
	var p h265.SPS
	if p.Unmarshal(unit) == nil && p.VUI != nil {
		s.rate = p.FPS()
		s.interlaced = s.interlaced || p.VUI.FieldSeqFlag
	}
	return s, s.check()
}

// h265Profile reads profile_tier_level.
func (r *reader) h265Profile(s *sequence, layers int) {
	r.bits(2) // general_profile_space
	high := r.flag()
	profile := int(r.bits(5))
	compatible := r.bits(32)
	s.plain = profile == 1 || profile == 2 || compatible>>30&1 != 0 // Main, Main 10 of 8 bits, or what Main decodes
	progressive, interlaced := r.flag(), r.flag()
	s.interlaced = interlaced && !progressive
	r.bits(46)
	level := int(r.bits(8))
	name, ok := map[int]string{1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}[profile]
	if !ok {
		name = fmt.Sprintf("profile %d", profile)
	}
	if high {
		name += " High tier"
	}
	s.profile = fmt.Sprintf("%s %d.%d", name, level/30, level%30/3)
	r.h265Layers(layers)
}

// h265Layers skips the profiles of temporal layers.
func (r *reader) h265Layers(layers int) {
	if layers == 0 {
		return
	}
	var profiles, levels [8]bool
	for i := range 8 {
		profiles[i], levels[i] = r.flag(), r.flag()
	}
	for i := range layers {
		if profiles[i] {
			r.bits(44)
			r.bits(44)
		}
		if levels[i] {
			r.bits(8)
		}
	}
}

// h265Size reads chroma format, size and cropping.
func (r *reader) h265Size(s *sequence) {
	s.chroma = int(r.ue())
	if s.chroma == 3 {
		r.bits(1) // separate_colour_plane_flag
	}
	width, height := int(r.ue()), int(r.ue())
	if r.flag() {
		unitX, unitY := 1, 1
		if s.chroma == 1 || s.chroma == 2 {
			unitX = 2
		}
		if s.chroma == 1 {
			unitY = 2
		}
		width -= (int(r.ue()) + int(r.ue())) * unitX
		height -= (int(r.ue()) + int(r.ue())) * unitY
	}
	s.width, s.height = width, height
}

func (h265Codec) videoID(unit []byte) (int, bool) {
	r := newReader(unit, 2, headerBytes)
	id := int(r.bits(4))
	return id, !r.short
}

func (h265Codec) pictureIDs(unit []byte) (id, sequence int, ok bool) {
	r := newReader(unit, 2, headerBytes)
	p, s := r.ue(), r.ue()
	return int(p), int(s), !r.short && p <= 63 && s <= 15
}

func (h265Codec) pictureSet(unit []byte) (id int, ok bool) {
	r := newReader(unit, 2, headerBytes)
	r.bits(1) // first_slice_segment_in_pic_flag
	if t := h265Type(unit); t >= h265BLA && t < h265VPS {
		r.bits(1) // no_output_of_prior_pics_flag
	}
	p := r.ue()
	return int(p), !r.short && p <= 63
}

func (h265Codec) recovers(message []byte) bool { return hasRecoveryPoint(message[2:]) }

// intra: in H.265, pictures at which decoding can begin have a type of their own.
func (h265Codec) intra([]byte) bool { return false }

// order: parameter sets of H.265 always say whether pictures are reordered.
func (h265Codec) order([]byte, *sequence) (count, bits int, ok bool) { return 0, 0, false }
