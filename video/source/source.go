// Package source is the contract between the camera service and its drivers: a V4L2 camera, a file, a test card, a
// simulation.
//
// Each driver has an open function that returns a Source. The source stays open for as long as the hardware is present;
// it captures only while Capture runs, that is while somebody watches. When the hardware goes away, Capture (or Watch,
// while nobody watches) returns an error; the caller then closes the source and opens a new one later.
//
// Package sourcetest checks that a driver keeps this contract.
package source

import (
	"context"
	"errors"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// Errors that drivers wrap, beside [device.ErrAway] and [device.ErrBusy].
var (
	ErrNotCamera  = errors.New("not a capture device")    // the device exists, but delivers no pictures
	ErrNoControl  = errors.New("no such control")         // SetControls: the name is unknown
	ErrOutOfRange = errors.New("value is out of range")   // SetControls: the value is not allowed
	ErrReadOnly   = errors.New("control is read-only")    // SetControls: it cannot be changed now
	ErrNoKeyFrame = errors.New("no key frame on request") // RequestKeyFrame: none comes before its time
	ErrNotMedia   = errors.New("not a video Waldo reads") // a file of another kind, or a broken one
)

// Source is one open camera. Info and Close may be called from any goroutine, Capture from one at a time.
type Source interface {
	// Info describes the source. While it is open, formats may change only with the frames, and attributes at any time.
	Info() Info
	// Capture takes pictures and passes each to deliver, in order and without delay, until ctx ends; then it returns
	// nil. The first picture is taken at once, not at the next tick of some clock. Any other end is an error, which
	// wraps device.ErrAway if the hardware went away. Once Capture has returned, deliver is no longer called and
	// nothing is captured. A deliver that takes long makes the source lose pictures, never queue them.
	Capture(ctx context.Context, deliver func(Frame)) error
	// Close releases the hardware. A Capture in progress ends with an error. Close may be called more than once.
	Close() error
}

// Watcher is a source that can report that its hardware went away while nobody captures.
type Watcher interface {
	// Watch returns nil when ctx ends, or an error that wraps device.ErrAway within a second after the hardware went
	// away. It may run at the same time as Capture.
	Watch(ctx context.Context) error
}

// KeyFramer is a source that compresses pictures itself and may be asked for a key frame. Its methods may be called
// from any goroutine, as often as one likes: the source bounds how often the hardware is asked.
type KeyFramer interface {
	// KeyFrameOnRequest reports whether asking works, as far as is known. The answer may change with every frame.
	KeyFrameOnRequest() bool
	// WantKeyFrame asks for a key frame, if asking is known to work, and does not wait.
	WantKeyFrame()
	// RequestKeyFrame asks for a key frame and waits for it. The error wraps ErrNoKeyFrame if none comes, and
	// device.ErrAway if the hardware goes away.
	RequestKeyFrame(ctx context.Context) error
}

// Controller is a source with settings. Its methods may be called from any goroutine.
type Controller interface {
	// Controls returns all settings with their present values.
	Controls() ([]Control, error)
	// SetControls changes settings: it checks all names and values first and changes nothing if one is wrong. The error
	// wraps ErrNoControl, ErrOutOfRange, ErrReadOnly or device.ErrAway.
	SetControls(values map[string]int64) error
}

// Info is what a source reports about itself.
type Info struct {
	Native     []*mediav1.VideoFormat // what the hardware can deliver, best first
	Current    *mediav1.VideoFormat   // the present setting, as the hardware reports it
	Attributes map[string]string      // for people: driver, card, bus …
	// whether pictures are to be mirrored left to right to be upright, before they are turned
	Mirror bool
	Note   string // what operators should know; logged when the source is opened
	Rotate int    // how far they are to be turned, clockwise: 0, 90, 180 or 270 degrees
	// Unasked says that pictures come whether or not they are wanted, and cost nothing more: those of a network camera.
	// They are captured all the time, so that a reader who comes later has a picture at once, however rare key frames are.
	Unasked bool
	// Recode is that of the present frames: pictures that come in another order than they are shown, for example. They
	// are encoded again for readers of their media type, or go to those alone who want them as they are if there is no
	// encoder for it.
	Recode bool
}

// Frame is one captured picture. Its receiver may keep it and must not change it; the source never writes to it again.
type Frame struct {
	Format *mediav1.VideoFormat // of Data or Picture; shared between frames
	Time   time.Time            // when the picture was captured, wall clock

	// Data is the picture in its native form. For I420 it may be missing, and Picture holds the pixels.
	Data    []byte
	Stride  int         // bytes per row of packed raw data, or of NV12's luma plane; 0: no padding
	Picture *media.I420 // set if the source has the picture in this form

	Key      bool              // decoding can start here; true for all but H.264
	Recode   bool              // the compressed picture is not one that all can show live: see Info.Recode
	Lost     int               // pictures that were lost between the last frame and this one, before they got here
	Metadata map[string]string // free remarks, nil for none

	Replay *Replay // of a picture of a recording; nil: it is captured now
}

// ControlType is the kind of value that a control takes.
type ControlType int

// Types of controls.
const (
	Integer ControlType = iota
	Boolean
	Menu
)

// Control is one setting of the hardware.
type Control struct {
	Name                   string // lower case with underscores
	Type                   ControlType
	Minimum, Maximum, Step int64
	Default, Value         int64
	Items                  map[int64]string // of a menu
	ReadOnly               bool
}
