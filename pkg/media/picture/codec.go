package picture

import (
	"errors"

	"github.com/waldo-robot/waldo/pkg/media"
)

// role is what a NAL unit is for.
type role int

const (
	unused  role = iota // what a decoder does not need: delimiters, filling, other layers
	message             // SEI
	videoSet
	sequenceSet
	pictureSet
	key     // a slice at which decoding can begin
	openKey // the same, but pictures that follow it and are shown before it may need earlier ones
	leading // a slice of such a picture
	slice   // any other
)

func (r role) isSlice() bool { return r >= key }

// codec reads the NAL units of a codec. Units have at least one byte.
type codec interface {
	role(unit []byte) role
	// sequence parses a sequence parameter set.
	sequence(unit []byte) (*sequence, error)
	// videoID and pictureIDs return the number of a set, and of the sequence parameter set that it needs.
	videoID(unit []byte) (id int, ok bool)
	pictureIDs(unit []byte) (id, sequence int, ok bool)
	// pictureSet returns the number of the picture parameter set that a slice needs.
	pictureSet(unit []byte) (id int, ok bool)
	// recovers tells whether a message says that decoding can begin with its picture (a recovery point), and intra
	// whether a slice refers to no other picture. Cameras that never send a key frame have these.
	recovers(message []byte) bool
	intra(slice []byte) bool
	// order returns the low bits of a picture's place in the order of showing, and how many there are; false if
	// the codec or the stream does not have them.
	order(unit []byte, s *sequence) (count, bits int, ok bool)
}

// codecOf returns nil for codecs that are not made of NAL units.
func codecOf(mediaType string) codec {
	switch mediaType {
	case media.H264:
		return h264Codec{}
	case media.H265:
		return h265Codec{}
	}
	return nil
}

// reordering says whether pictures are shown in another order than sent.
type reordering int

const (
	unknown reordering = iota
	no
	yes
)

// sequence is what a sequence parameter set says.
type sequence struct {
	id, video     int
	profile       string // with the level: "High 4.0"
	plain         bool   // a profile that browsers play
	width, height int    // pixels, cropping applied
	rate          float64
	depth         int // bits of a sample
	chroma        int // chroma_format_idc: 1 is 4:2:0
	interlaced    bool
	reorders      reordering

	// Of H.264, to find a picture's place in a slice header.
	frameNumBits, orderBits int
	planes                  bool
}

// Bounds of parameter sets, and of what they say.
const (
	maxSet    = 4096 // bytes
	maxRate   = 240  // pictures per second; more is nonsense
	maxLog2   = 16   // bits of a counter in slice headers
	maxNumber = 255  // of a picture parameter set
)

var (
	errSet  = errors.New("the camera's parameter sets cannot be read: set another resolution or codec in the camera")
	errSize = errors.New("the pictures are not 2 to 8192 pixels wide and high: set another resolution in the camera")
)

// check bounds what a camera says.
func (s *sequence) check() error {
	if s.width < media.MinSize || s.height < media.MinSize || s.width > media.MaxSize || s.height > media.MaxSize {
		return errSize
	}
	if !(s.rate >= 1 && s.rate <= maxRate) { // written so that NaN fails
		s.rate = 0
	}
	return nil
}
