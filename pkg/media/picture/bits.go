package picture

import (
	"github.com/bluenviron/mediacommon/v2/pkg/bits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// headerBytes is how much of a slice holds the parts of its header that are read here.
const headerBytes = 64

// reader reads bits and Exp-Golomb numbers. Past the end it returns zeros and remembers that it ran out.
type reader struct {
	data  []byte
	pos   int // in bits
	short bool
}

// newReader returns a reader of what follows a NAL unit's header of n bytes, at most limit bytes of it.
func newReader(unit []byte, n, limit int) *reader {
	unit = unit[min(n, len(unit)):]
	return &reader{data: h264.EmulationPreventionRemove(unit[:min(limit, len(unit))])}
}

func (r *reader) bits(n int) uint64 {
	v, err := bits.ReadBits(r.data, &r.pos, n)
	if err != nil {
		r.short = true
	}
	return v
}

func (r *reader) flag() bool { return r.bits(1) == 1 }

func (r *reader) ue() uint32 {
	v, err := bits.ReadGolombUnsigned(r.data, &r.pos)
	if err != nil {
		r.short = true
		return 0
	}
	return v
}
