// Package origin lets a frame that travels over RTP keep its identity: the device's run that made it, its place in the
// stream, and when it was captured. The first packet of each frame carries them in two header extensions, for peers
// that offer them:
//
//   - [FrameURI], 16 bytes: the sequence, and the capture time in microseconds of Unix time, as 64-bit integers, the
//     most significant byte first.
//   - [EpochURI], 8 bytes: the epoch, likewise.
//
// So a Go peer gets the frames that gRPC readers get, and can tell a loss from a restart of the device.
package origin

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/pion/rtp"
)

// URIs of the header extensions, as in a=extmap.
const (
	FrameURI = "urn:x-waldo:frame"
	EpochURI = "urn:x-waldo:epoch"
)

// Size is what both together add to the extensions of a packet, in bytes, with their numbers and lengths.
const Size = frameSize + epochSize + 4

const frameSize, epochSize = 16, 8

// Origin identifies a frame.
type Origin struct {
	// Epoch and Sequence are those of the frame, see waldo.media.v1.
	Epoch, Sequence int64
	// Captured is when it was captured, to the microsecond; zero if that is unknown.
	Captured time.Time
}

// Frame is the value of the extension [FrameURI].
func (o Origin) Frame() [frameSize]byte {
	var b [frameSize]byte
	binary.BigEndian.PutUint64(b[:8], uint64(o.Sequence))
	if !o.Captured.IsZero() {
		binary.BigEndian.PutUint64(b[8:], uint64(o.Captured.UnixMicro()))
	}
	return b
}

// Run is the value of the extension [EpochURI].
func (o Origin) Run() [epochSize]byte {
	var b [epochSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(o.Epoch))
	return b
}

// IDs are the numbers that a connection has agreed on for the extensions; 0 for one that is not used.
type IDs struct{ Frame, Epoch uint8 }

// Of reads the origin of the frame that a packet begins. It returns false if the packet does not have both extensions,
// or if their values are none that a device has.
func (ids IDs) Of(h *rtp.Header) (Origin, bool) {
	if ids.Frame == 0 || ids.Epoch == 0 {
		return Origin{}, false
	}
	return parse(h.GetExtension(ids.Frame), h.GetExtension(ids.Epoch))
}

// parse reads the values of the extensions.
func parse(frame, epoch []byte) (Origin, bool) {
	if len(frame) != frameSize || len(epoch) != epochSize {
		return Origin{}, false
	}
	run, sequence, micros := binary.BigEndian.Uint64(epoch), binary.BigEndian.Uint64(frame),
		binary.BigEndian.Uint64(frame[8:])
	if run == 0 || max(run, sequence, micros) > math.MaxInt64 {
		return Origin{}, false
	}
	o := Origin{Epoch: int64(run), Sequence: int64(sequence)}
	if micros > 0 {
		o.Captured = time.UnixMicro(int64(micros))
	}
	return o, true
}
