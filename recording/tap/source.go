package tap

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/recording"
)

// maxMedia bounds how many media types are told apart in one stream.
const maxMedia = 16

// source is what messages of one stream are. Tap.mu guards it.
type source struct {
	base     recording.Channel // without a media type
	fields   recording.Fields
	channels map[string]*recording.Channel // by media type
}

func newSource(c recording.Channel) *source {
	return &source{base: c, fields: recording.FieldsOf(c.Files, c.Type), channels: map[string]*recording.Channel{}}
}

// channel returns the channel of messages of a media type.
func (s *source) channel(media string) *recording.Channel {
	c := s.channels[media]
	if c == nil {
		if len(s.channels) >= maxMedia {
			clear(s.channels)
		}
		with := s.base
		with.Media = media
		c = &with
		s.channels[media] = c
	}
	return c
}

// The definitions of messages that are the same on every bus.
var (
	stateType, stateFiles = linked(&devicev1.Device{})
	topicType, topicFiles = linked(&messagev1.Message{})
	videoType, _          = linked(&mediav1.VideoFrame{})
)

// linked returns the name and the definition of a message of this program.
func linked(m protoreflect.ProtoMessage) (string, *descriptorpb.FileDescriptorSet) {
	d := m.ProtoReflect().Descriptor()
	r, _ := descriptors.Describe(0, nil, d) // fails for services only
	return string(d.FullName()), r.GetFiles()
}

func stateChannel(d *devicev1.Device) recording.Channel {
	return recording.Channel{Device: d.GetName(), Kind: d.GetKind(), Direction: recording.State, Type: stateType,
		Files: stateFiles}
}

func topicChannel(topic string) recording.Channel {
	return recording.Channel{Stream: topic, Direction: recording.Topic, Type: topicType, Files: topicFiles}
}
