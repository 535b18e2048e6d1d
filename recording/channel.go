package recording

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/foxglove/mcap/go/mcap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	definitions "github.com/waldo-robot/waldo/recording/internal/schema"
)

// Protobuf is the message encoding and the schema encoding of channels.
const Protobuf = "protobuf"

// Keys of a channel's metadata.
const (
	deviceKey    = "waldo.device"
	kindKey      = "waldo.kind"
	streamKey    = "waldo.stream"
	directionKey = "waldo.direction"
	typeKey      = "waldo.type"
	mediaKey     = "waldo.media"
	appendedKey  = "waldo.appended" // how many bytes follow each message; see [Channel.Encode]
)

// Direction is which way the messages of a channel go.
type Direction string

const (
	// Out is what a device produces.
	Out Direction = "out"
	// In is what a device is sent.
	In Direction = "in"
	// State is what a device says of itself.
	State Direction = "state"
	// Topic is what pages and programs say to each other.
	Topic Direction = "msg"
)

// Channel is a stream of messages of one type.
type Channel struct {
	Device    string // empty for a Topic
	Kind      string // of the device; may be empty
	Stream    string // name of the stream, or of the topic; empty for a State
	Direction Direction
	Type      string                          // full name of the type of its messages on the bus
	Files     *descriptorpb.FileDescriptorSet // defines the type; imports stand before those that import them
	// Media is the media type of the first message, as in VideoFormat and AudioFormat; empty for what is not media.
	Media string

	appended int // bytes after each message of a file that is read
}

// counted are the types of messages that their producers count without gaps, and what messages are called. In others a
// sequence may be something else: that of the picture that a result is about.
var counted = map[string]struct{ one, many string }{
	videoFrame:                        {"picture", "pictures"},
	audioFrame:                        {"piece of sound", "pieces of sound"},
	"waldo.control.v1.CommandRecord":  {"command", "commands"},
	"waldo.input.v1.Report":           {"report", "reports"},
	"waldo.ingest.v1.ConnectionEvent": {"event", "events"},
	"waldo.insta360.v1.CameraEvent":   {"event", "events"},
	"waldo.insta360.v1.ImuBatch":      {"message", "messages"},
	"waldo.peer.v1.Message":           {"message", "messages"},
	"waldo.serial.v1.SerialMessage":   {"message", "messages"},
}

// Counted returns what one message of the channel is called, and many are, if a gap in their sequence is a loss; else
// both are empty.
func (c Channel) Counted() (one, many string) {
	if c.Direction != Out {
		return "", ""
	}
	of := counted[c.Type]
	return of.one, of.many
}

// Replayed reports whether devices of a kind are replayed. A replay has no use for those that would act: on the
// recording, on a hub, on itself.
func Replayed(kind string) bool { return kind != "player" && kind != "recorder" && kind != "uplink" }

// Name is the topic of the channel in a file.
func (c Channel) Name() string {
	switch c.Direction {
	case In:
		return "/" + c.Device + "/in/" + c.Stream
	case State:
		return "/" + c.Device
	case Topic:
		return "/msg/" + c.Stream
	default:
		return "/" + c.Device + "/" + c.Stream
	}
}

// Records returns the channel as it stands in a file, and its schema.
func (c Channel) Records(channel, schema uint16) (*mcap.Channel, *mcap.Schema, error) {
	name, files := c.Type, c.Files
	if l := look(c.Type, c.Media); l != nil {
		shown, err := l.schema(c)
		if err != nil {
			return nil, nil, fmt.Errorf("channel %s: %w", c.Name(), err)
		}
		name, files = l.name, shown
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(files)
	if err != nil {
		return nil, nil, fmt.Errorf("channel %s: %w", c.Name(), err)
	}
	metadata := map[string]string{
		deviceKey: c.Device, kindKey: c.Kind, streamKey: c.Stream, directionKey: string(c.Direction), typeKey: c.Type,
		mediaKey: c.Media, appendedKey: strconv.Itoa(len(c.Encode(nil, nil))),
	}
	return &mcap.Channel{
			ID: channel, SchemaID: schema, Topic: c.Name(), MessageEncoding: Protobuf, Metadata: metadata,
		}, &mcap.Schema{
			ID: schema, Name: name, Encoding: Protobuf, Data: data,
		}, nil
}

// ErrForeign is about a channel that no recorder of Waldo has made.
var ErrForeign = errors.New("the channel is not Waldo's")

// Parse returns a channel of a file. It fails with [ErrForeign] for those of other programs.
func Parse(channel *mcap.Channel, schema *mcap.Schema) (Channel, error) {
	m := channel.Metadata
	c := Channel{
		Device: m[deviceKey], Kind: m[kindKey], Stream: m[streamKey], Direction: Direction(m[directionKey]),
		Type: m[typeKey], Media: m[mediaKey],
	}
	if c.Type == "" {
		return Channel{}, ErrForeign
	}
	if schema == nil || schema.Encoding != Protobuf || channel.MessageEncoding != Protobuf {
		return Channel{}, fmt.Errorf("channel %.128q: it has no protobuf schema", channel.Topic)
	}
	switch c.Direction {
	case Out, In, State, Topic:
	default:
		return Channel{}, fmt.Errorf("channel %.128q: its direction is %.16q", channel.Topic, c.Direction)
	}
	if c.Name() != channel.Topic {
		return Channel{}, fmt.Errorf("channel %.128q: its metadata is of %.128q", channel.Topic, c.Name())
	}
	var err error
	if c.appended, err = strconv.Atoi(m[appendedKey]); err != nil || c.appended < 0 || c.appended > maxAppended {
		return Channel{}, fmt.Errorf("channel %.128q: its metadata %s is %.16q, not a number of bytes", channel.Topic,
			appendedKey, m[appendedKey])
	}
	if c.Files, err = definitions.Parse(schema.Data); err != nil {
		return Channel{}, fmt.Errorf("channel %.128q: its schema %w", channel.Topic, err)
	}
	return c, nil
}
