// Package feed is the contract between the protocols of network cameras (packages rtsp, rtmp, mjpeg, insta360) and what
// makes a camera of the robot of them.
//
// A protocol opens a [Conn]. Its Run receives until the connection goes, and hands what arrives to a [Receiver]: whole
// pictures, blocks of sound, and the camera's reports of its clock. A protocol only receives and assembles. Whether a
// picture can be shown, when it was captured, and when to connect again is decided once for all protocols, elsewhere.
//
// # Concurrency and shutdown
//
// Run calls the Receiver from one goroutine, in the order of arrival; the Receiver does not block. What it is given is
// its own: the protocol never writes to it again. Run owns everything that a connection started, and returns when all
// of it has ended and the socket is closed.
package feed

import (
	"context"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/clock"
	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/video/keyframe"
)

// Media types of sound that cameras send. Those of pictures are in package media.
const (
	Opus = "audio/opus"
	AAC  = "audio/aac"  // raw AAC frames; Config holds the AudioSpecificConfig
	PCMA = "audio/PCMA" // G.711 A-law
	PCMU = "audio/PCMU" // G.711 µ-law
	L16  = "audio/L16"  // 16 bit, big endian
	G726 = "audio/G726" // Config holds its name in SDP, for example G726-32 or AAL2-G726-32
)

// MPEG4 is the media type of MPEG-4 part 2.
const MPEG4 = media.MPEG4

// Track says how a picture or sound is sent, as far as it is known before the first of them.
type Track struct {
	MediaType string
	// H.264: SPS, PPS; H.265: VPS, SPS, PPS; as announced, which may be wrong; MPEG-4: its configuration
	ParameterSets [][]byte
	Config        []byte // AAC: the AudioSpecificConfig; see G726
	SampleRate    int    // of sound, Hz
	Channels      int    // of sound
}

// Picture is one picture as it came.
type Picture = picture.Picture

// Sound is a block of sound.
type Sound struct {
	Track   Track
	Data    []byte
	Time    time.Duration // as in Picture, on the same clock if a Report says so
	Arrival time.Time
	Lost    int // packets lost before this one
}

// Report is what a camera says of its clock.
type Report = clock.Report

// Receiver takes what a connection receives. Nil functions ignore.
type Receiver struct {
	Picture func(Picture)
	Sound   func(Sound)
	Report  func(Report)
}

// Conn is one open connection to a camera that is ready to send.
type Conn interface {
	// Video is the track of pictures that was chosen.
	Video() Track
	// Attributes describes the connection for people: transport, server, what was left out and why. No secrets.
	Attributes() map[string]string
	// Run receives until ctx ends (then it returns nil after telling the camera, within 100 ms) or the connection goes. It
	// is called once, and closes the connection.
	Run(ctx context.Context, to Receiver) error
	// Close is for a Conn of which Run is not called.
	Close() error
}

// KeyFramer is a Conn that can ask the camera for a key frame, in one way or several. Most cameras ignore most of them.
type KeyFramer interface{ KeyFrameWays() []Way }

// Way is a way to ask a camera for a key frame.
type Way = keyframe.Way

// Talker is a Conn whose camera has a loudspeaker.
type Talker interface {
	// Talk opens the back channel, which is there until the voice is closed. It fails with an [Error]. There is one voice
	// at a time.
	Talk(ctx context.Context) (Voice, error)
}

// Voice is an open back channel.
type Voice interface {
	// Track is what the camera takes: [PCMA], [PCMU] or [L16], of any rate and number of channels.
	Track() Track
	// Say sends one block of at most 1400 bytes; at is its time since an arbitrary start. It waits for at most half a
	// second, and fails once the back channel has ended.
	Say(data []byte, at time.Duration) error
	// Close ends the back channel, and waits for that.
	Close() error
}
