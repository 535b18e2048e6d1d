package foreign

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"
	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// Kind is what a channel has.
type Kind int

// Kinds of channels.
const (
	None  Kind = iota // nothing that can be replayed
	Video             // becomes VideoFrames
	Audio             // becomes AudioFrames
)

const (
	video = "foxglove.CompressedVideo"
	image = "foxglove.CompressedImage"
	audio = "foxglove.CompressedAudio"
)

// KindOf returns the kind of the channels of a schema, by its name.
func KindOf(schema string) Kind {
	switch schema {
	case video, image:
		return Video
	case audio:
		return Audio
	}
	return None
}

// Converter makes messages of Waldo of those of one channel.
type Converter struct {
	kind     Kind
	fields   fields
	sequence int64
	index    int64 // of the next sample
}

// New returns a converter for a schema, whose encoding is protobuf.
func New(schema *mcap.Schema) (*Converter, error) {
	if schema == nil {
		return nil, errors.New("the channel has no schema")
	}
	if KindOf(schema.Name) == None {
		return nil, fmt.Errorf("%.128q cannot be replayed: record %s, %s or %s", schema.Name, video, image, audio)
	}
	f, err := fieldsOf(schema)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", schema.Name, err)
	}
	return &Converter{kind: KindOf(schema.Name), fields: f}, nil
}

// epoch is that of all frames: nobody knows when the program was started that made them.
const epoch = 1

// Kind is what the messages become.
func (c *Converter) Kind() Kind { return c.kind }

// Message returns the VideoFrame or the AudioFrame in place of the next message, which was logged at that time.
// One that is refused leaves a gap in the sequence.
func (c *Converter) Message(data []byte, logged time.Time) ([]byte, error) {
	defer func() { c.sequence++ }()
	v, err := c.fields.read(data)
	if err != nil {
		return nil, err
	}
	if v.time.IsZero() {
		v.time = logged
	}
	if c.kind == Audio {
		return c.sound(v)
	}
	return c.picture(v)
}

// mediaTypes are those of pictures, by what other programs call them.
var mediaTypes = map[string]string{"h264": media.H264, "h265": media.H265, "jpeg": media.JPEG, "jpg": media.JPEG}

func (c *Converter) picture(v values) ([]byte, error) {
	mediaType := mediaTypes[strings.ToLower(v.format)]
	if mediaType == "" {
		return nil, fmt.Errorf("the format %.32q is not shown: record h264, h265 or jpeg", v.format)
	}
	f := &mediav1.VideoFrame{
		Epoch: epoch, Sequence: c.sequence, CaptureTime: timestamppb.New(v.time), KeyFrame: begins(mediaType, v.data),
		Format: &mediav1.VideoFormat{MediaType: mediaType}, Data: v.data,
	}
	return proto.Marshal(f)
}

// Key reports whether decoding can begin with a message.
func (c *Converter) Key(data []byte) bool {
	v, err := c.fields.read(data)
	return err == nil && (c.kind == Audio || begins(mediaTypes[strings.ToLower(v.format)], v.data))
}

// begins reports whether decoding can begin with a picture.
func begins(mediaType string, data []byte) bool {
	switch mediaType {
	case media.H264:
		return annexb.IsKeyFrame(data)
	case media.H265:
		for nal := range annexb.NALs(data) {
			// Pictures from BLA_W_LP to CRA_NUT (ITU-T H.265, table 7-1).
			if len(nal) > 0 && nal[0]>>1&63 >= 16 && nal[0]>>1&63 <= 21 {
				return true
			}
		}
		return false
	}
	return mediaType != ""
}

const (
	rate    = 48_000            // of Opus, a second
	longest = rate * 120 / 1000 // of a packet
)

// tolerance is by how much packets may come early or late that follow one another, in samples: 100 ms.
const tolerance = rate / 10

func (c *Converter) sound(v values) ([]byte, error) {
	if v.format != "opus" {
		return nil, fmt.Errorf("the format %.32q is not played: record opus", v.format)
	}
	if len(v.data) == 0 {
		return nil, errors.New("it has no data")
	}
	samples := opus.PacketDuration2(v.data)
	if samples <= 0 || samples > longest {
		return nil, errors.New("its data is not a packet of Opus")
	}
	at := v.time.Unix()*rate + int64(v.time.Nanosecond())*rate/int64(time.Second)
	if off := at - c.index; off < -tolerance || off > tolerance {
		c.index = max(at, 0)
	}
	f := &mediav1.AudioFrame{
		Epoch: epoch, Sequence: c.sequence, CaptureTime: timestamppb.New(v.time), SampleIndex: c.index,
		SampleCount: int32(samples), Data: v.data,
		Format: &mediav1.AudioFormat{MediaType: "audio/opus", SampleRateHz: rate, Channels: 1 + int32(v.data[0]>>2&1)},
	}
	c.index += samples
	return proto.Marshal(f)
}
