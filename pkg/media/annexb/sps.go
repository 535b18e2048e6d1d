package annexb

import (
	"errors"
	"fmt"
)

// ErrSPS is wrapped by every error about a sequence parameter set.
var ErrSPS = errors.New("bad H.264 sequence parameter set")

// SPS is the part of a sequence parameter set that describes a stream.
type SPS struct {
	Profile       int // profile_idc: 66 is baseline
	Constraints   int // constraint_set flags, the first in bit 7
	Level         int // level_idc: 31 is level 3.1
	Width, Height int // pixels, cropping applied
}

// Coding is the part of a sequence parameter set that describes how pictures are coded: not every
// decoder supports everything.
type Coding struct {
	Chroma     int // chroma_format_idc: 0 is monochrome, 1 is 4:2:0, 2 is 4:2:2, 3 is 4:4:4
	Depth      int // bits of a sample of luma or chroma, the larger of both
	Interlaced bool
	Lossless   bool // qpprime_y_zero_transform_bypass_flag
}

// ParseSPS parses a sequence parameter set, NAL header included, up to the picture's size.
func ParseSPS(nal []byte) (SPS, error) {
	s, _, err := ParseSPSAndCoding(nal)
	return s, err
}

// ParseSPSAndCoding parses a sequence parameter set, NAL header included, up to the picture's size, and
// the coding of its pictures.
func ParseSPSAndCoding(nal []byte) (SPS, Coding, error) {
	none := SPS{}
	if Type(nal) != TypeSPS || len(nal) < 5 {
		return none, Coding{}, fmt.Errorf("%w: a different NAL unit type", ErrSPS)
	}
	s, c := SPS{Profile: int(nal[1]), Constraints: int(nal[2]), Level: int(nal[3])}, Coding{Chroma: 1, Depth: 8}
	r := bitReader{data: Unescape(nal[4:])}
	r.ue() // seq_parameter_set_id
	if hasChromaFormat(s.Profile) {
		r.chromaFormat(&c)
	}
	r.ue() // log2_max_frame_num_minus4
	r.pictureOrder()
	r.ue()    // max_num_ref_frames
	r.bits(1) // gaps_in_frame_num_value_allowed_flag
	s.Width, s.Height = r.size(&c)
	if r.short || s.Width < 1 || s.Height < 1 || s.Width > 16384 || s.Height > 16384 {
		return none, Coding{}, fmt.Errorf("%w: truncated, or an impossible size %dx%d", ErrSPS, s.Width, s.Height)
	}
	return s, c, nil
}

// hasChromaFormat lists the profiles whose parameter sets carry chroma format, bit depth and scaling lists.
func hasChromaFormat(profile int) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

// Unescape returns a copy of b without emulation prevention bytes: 00 00 03 stands for 00 00.
func Unescape(b []byte) []byte {
	out, zeros := make([]byte, 0, len(b)), 0
	for _, v := range b {
		if zeros >= 2 && v == 3 {
			zeros = 0
			continue
		}
		if v == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, v)
	}
	return out
}

// bitReader reads bits and Exp-Golomb numbers. Past the end it returns zeros and remembers that it ran out.
type bitReader struct {
	data  []byte
	pos   int // in bits
	short bool
}

func (r *bitReader) bits(n int) int {
	v := 0
	for range n {
		if r.pos >= 8*len(r.data) {
			r.short = true
			return 0
		}
		v = v<<1 | int(r.data[r.pos/8]>>(7-r.pos%8)&1)
		r.pos++
	}
	return v
}

func (r *bitReader) ue() int {
	zeros := 0
	for r.bits(1) == 0 {
		if zeros++; r.short || zeros > 31 {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

func (r *bitReader) se() int {
	v := r.ue()
	if v%2 == 0 {
		return -v / 2
	}
	return (v + 1) / 2
}

// chromaFormat reads chroma format and bit depths, and skips scaling lists.
func (r *bitReader) chromaFormat(c *Coding) {
	c.Chroma = r.ue()
	if c.Chroma == 3 {
		r.bits(1) // separate_colour_plane_flag
	}
	c.Depth = 8 + max(r.ue(), r.ue())
	c.Lossless = r.bits(1) == 1
	if r.bits(1) == 1 {
		r.scalingLists(c.Chroma)
	}
}

func (r *bitReader) scalingLists(format int) {
	lists := 8
	if format == 3 {
		lists = 12
	}
	for i := range lists {
		if r.bits(1) == 0 {
			continue
		}
		entries := 16
		if i >= 6 {
			entries = 64
		}
		r.scalingList(entries)
	}
}

func (r *bitReader) scalingList(entries int) {
	last, next := 8, 8
	for range entries {
		if next != 0 {
			next = (last + r.se() + 256) % 256
		}
		if next != 0 {
			last = next
		}
	}
}

func (r *bitReader) pictureOrder() {
	switch r.ue() {
	case 0:
		r.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		r.bits(1) // delta_pic_order_always_zero_flag
		r.se()    // offset_for_non_ref_pic
		r.se()    // offset_for_top_to_bottom_field
		for n := r.ue(); n > 0 && !r.short; n-- {
			r.se() // offset_for_ref_frame
		}
	}
}

// size reads the size in macroblocks, and the cropping, whose unit depends on the chroma format and on
// interlacing.
func (r *bitReader) size(c *Coding) (width, height int) {
	width, height = (r.ue()+1)*16, (r.ue()+1)*16
	fields := 1
	if r.bits(1) == 0 { // frame_mbs_only_flag
		fields, c.Interlaced = 2, true
		r.bits(1) // mb_adaptive_frame_field_flag
	}
	height *= fields
	r.bits(1) // direct_8x8_inference_flag
	if r.bits(1) == 0 {
		return width, height
	}
	unitX, unitY := 1, fields
	if c.Chroma == 1 || c.Chroma == 2 {
		unitX = 2
	}
	if c.Chroma == 1 {
		unitY *= 2
	}
	width -= (r.ue() + r.ue()) * unitX
	height -= (r.ue() + r.ue()) * unitY
	return width, height
}
