// Package frames reads the pictures and the sound of recordings.
//
// # Times
//
// A [Frame] is shown at the time when it was captured, so that pictures and sound of one machine are in step however
// long each took to get to the recorder. A capture time that is not just before the arrival is by another clock, or by
// one that was set meanwhile: then the arrival counts.
//
// # Concurrency and shutdown
//
// A Reader is for one goroutine. Nothing needs closing.
package frames

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/foreign"
	"github.com/waldo-robot/waldo/recording/mp4"
	"github.com/waldo-robot/waldo/recording/read"
)

// Types of messages that are pictures and sound.
const (
	videoFrame = "waldo.media.v1.VideoFrame"
	audioFrame = "waldo.media.v1.AudioFrame"
)

// Frame is one picture, or one piece of sound.
type Frame struct {
	mp4.Format
	Epoch    int64
	Sequence int64
	Captured time.Time // as the message says
	Shown    time.Time // see the package comment
	Length   time.Duration
	Key      bool // decoding can begin here
	Reorders bool // it may have to be shown before one that came earlier
	Data     []byte
}

// End is when a piece of sound ends.
func (f Frame) End() time.Time { return f.Shown.Add(f.Length) }

// Reader reads the messages of one channel.
type Reader struct {
	sound   bool
	foreign *foreign.Converter // nil: the messages are Waldo's
}

// ErrNoMedia is about a channel that is neither pictures nor sound.
var ErrNoMedia = errors.New("it is neither pictures nor sound")

// Of returns a reader for a channel.
func Of(c *read.Channel) (*Reader, error) {
	switch c.Waldo.Type {
	case videoFrame:
		return &Reader{}, nil
	case audioFrame:
		return &Reader{sound: true}, nil
	}
	if !Foreign(c) {
		return nil, ErrNoMedia
	}
	converter, err := foreign.New(c.Schema)
	if err != nil {
		return nil, fmt.Errorf("channel %.128q: %w", c.Record.Topic, err)
	}
	return &Reader{sound: converter.Kind() == foreign.Audio, foreign: converter}, nil
}

// Foreign reports whether a channel has pictures or sound that another program has recorded.
func Foreign(c *read.Channel) bool {
	return c.Waldo.Type == "" && c.Schema != nil && c.Schema.Encoding == recording.Protobuf &&
		c.Record.MessageEncoding == recording.Protobuf && foreign.KindOf(c.Schema.Name) != foreign.None
}

// Name returns the device and the stream of a channel. What a device is sent has names that begin with in/, and its
// states have none. Channels of other programs have no device, and the topic for a name.
func Name(c *read.Channel) (device, stream string) {
	switch {
	case c.Waldo.Type == "":
		return "", c.Record.Topic
	case c.Waldo.Direction == recording.In:
		return c.Waldo.Device, "in/" + c.Waldo.Stream
	}
	return c.Waldo.Device, c.Waldo.Stream
}

// Sound reports whether it is sound.
func (r *Reader) Sound() bool { return r.sound }

// Frame reads a message.
func (r *Reader) Frame(m read.Message) (Frame, error) {
	data := m.Data
	if r.foreign != nil {
		var err error
		if data, err = r.foreign.Message(data, m.Logged); err != nil {
			return Frame{}, err
		}
	}
	f, err := r.parse(data)
	if err != nil {
		return Frame{}, err
	}
	f.Shown = Shown(m)
	return f, nil
}

func (r *Reader) parse(data []byte) (Frame, error) {
	if r.sound {
		return sound(data)
	}
	return picture(data)
}

// Key reports whether decoding can begin with a message.
func (r *Reader) Key(data []byte) bool {
	if r.foreign != nil {
		return r.foreign.Key(data)
	}
	f, err := r.parse(data)
	return err == nil && f.Key
}

func picture(data []byte) (Frame, error) {
	v := &mediav1.VideoFrame{}
	if err := proto.Unmarshal(data, v); err != nil {
		return Frame{}, fmt.Errorf("not a picture: %w", err)
	}
	if len(v.GetData()) == 0 {
		return Frame{}, errors.New("a picture without data")
	}
	f := Frame{
		Format: mp4.Format{
			MediaType: v.GetFormat().GetMediaType(), Width: int(v.GetFormat().GetWidthPx()),
			Height: int(v.GetFormat().GetHeightPx()),
		},
		Epoch: v.GetEpoch(), Sequence: v.GetSequence(), Captured: v.GetCaptureTime().AsTime(), Data: v.GetData(),
	}
	f.Key = v.GetKeyFrame() || !media.InterCoded(f.MediaType)
	f.Reorders = f.MediaType == media.H265 || f.MediaType == media.H264 && hasB(f.Data)
	return f, nil
}

// hasB reports whether a picture has a slice that may have to be shown before an earlier picture.
func hasB(picture []byte) bool {
	for unit := range annexb.NALs(picture) {
		if t := annexb.Type(unit); t == annexb.TypeSlice || t == annexb.TypeIDR {
			return annexb.IsB(unit)
		}
	}
	return false
}

func sound(data []byte) (Frame, error) {
	a := &mediav1.AudioFrame{}
	if err := proto.Unmarshal(data, a); err != nil {
		return Frame{}, fmt.Errorf("not sound: %w", err)
	}
	f := Frame{
		Format: mp4.Format{MediaType: a.GetFormat().GetMediaType(), Channels: int(a.GetFormat().GetChannels())},
		Epoch:  a.GetEpoch(), Sequence: a.GetSequence(), Captured: a.GetCaptureTime().AsTime(), Key: true, Data: a.GetData(),
	}
	if f.MediaType != mp4.Opus {
		return f, nil
	}
	if f.Length = mp4.OpusTime(f.Data); f.Length == 0 {
		return Frame{}, errors.New("not an Opus packet")
	}
	return f, nil
}

// How long before its arrival a frame can have been captured, and how long after it by clocks that are not quite the
// same.
const (
	MaxDelay = time.Second
	maxAhead = 50 * time.Millisecond
)

// Shown is when a frame is shown.
func Shown(m read.Message) time.Time {
	if delay := m.Logged.Sub(m.Published); delay > MaxDelay || delay < -maxAhead {
		return m.Logged
	}
	return m.Published
}
