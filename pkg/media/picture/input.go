package picture

import (
	"slices"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// Picture is one picture as it came: all NAL units (without start codes) of one access unit, one JPEG, or one frame of
// another codec.
type Picture struct {
	MediaType string // one of package media that is compressed
	Data      [][]byte
	// Time is the presentation time on the camera's clock, counted from an arbitrary start and unwrapped. It may jump.
	Time time.Duration
	// Untimed says that the protocol has no clock: Time means nothing.
	Untimed bool
	// Arrival is when the first byte of the picture came.
	Arrival time.Time
	// Damaged says that a part of this picture was lost.
	Damaged bool
	// Missing says that something between the picture before and this one was lost, and nothing of this one: if it is a
	// key frame, decoding can go on here.
	Missing bool
	// Restart says that the camera began a new timeline before this picture (another SSRC, a new publisher).
	Restart bool
}

// Frame is one picture that can be decoded after those before it. Its reader may keep it.
type Frame struct {
	Format *mediav1.VideoFormat // shared between frames
	Data   []byte
	Time   time.Time // when it was captured, as given
	Key    bool      // decoding can begin here
	Recode bool      // not all can show it as it is: see State.Passage
	Lost   int       // pictures that were lost or left out between the last frame and this one
}

// Parts takes the data of a VideoFrame apart, as [Picture.Data] wants it. The parts are slices of it.
func Parts(mediaType string, frame []byte) [][]byte {
	if codecOf(mediaType) == nil {
		return [][]byte{frame}
	}
	return slices.Collect(annexb.NALs(frame))
}
