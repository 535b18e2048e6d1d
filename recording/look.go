package recording

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording/internal/schema"
)

// Numbers of the fields that are appended to a message. Those of a message that is recorded end before them.
const (
	firstAppended = 100_000
	frameIDField  = firstAppended
	formatField   = firstAppended + 1
)

// looks are what other programs know as pictures and sound.
type lookOf struct {
	of      string            // full name of the type on the bus
	name    string            // of the schema
	formats map[string]string // by media type, what the other programs call it
	frameID bool              // whether the schema has one
}

const (
	videoFrame = "waldo.media.v1.VideoFrame"
	audioFrame = "waldo.media.v1.AudioFrame"
)

var looks = []lookOf{
	{videoFrame, "foxglove.CompressedVideo", map[string]string{media.H264: "h264", media.H265: "h265"}, true},
	{videoFrame, "foxglove.CompressedImage", map[string]string{media.JPEG: "jpeg"}, true},
	{audioFrame, "foxglove.CompressedAudio", map[string]string{"audio/opus": "opus"}, false},
}

// look returns how messages of a type are shown to other programs; nil: as what they are.
func look(of, mediaType string) *lookOf {
	for i, l := range looks {
		if _, known := l.formats[mediaType]; known && l.of == of {
			return &looks[i]
		}
	}
	return nil
}

// Encode appends to a message what its channel's schema promises besides. The result may share memory with to.
func (c Channel) Encode(to, message []byte) []byte {
	to = append(to, message...)
	l := look(c.Type, c.Media)
	if l == nil {
		return to
	}
	if l.frameID {
		to = protowire.AppendTag(to, frameIDField, protowire.BytesType)
		to = protowire.AppendString(to, c.Device)
	}
	to = protowire.AppendTag(to, formatField, protowire.BytesType)
	return protowire.AppendString(to, l.formats[c.Media])
}

// maxAppended bounds what is appended to a message: the name of a device and a format.
const maxAppended = 1024

// Original returns a message of a channel that was read with [Parse] as it was on the bus; the result shares its
// memory. What is shorter than that is empty.
func (c Channel) Original(recorded []byte) []byte {
	return recorded[:max(len(recorded)-c.appended, 0)]
}

// schema describes a channel's messages as other programs know them: the fields of the type, some of which are renamed,
// and those that are appended.
func (l *lookOf) schema(c Channel) (*descriptorpb.FileDescriptorSet, error) {
	file, original := schema.Find(c.Files, c.Type)
	if original == nil {
		return nil, fmt.Errorf("the type %s is not defined", c.Type)
	}
	pkg, name, _ := strings.Cut(l.name, ".")
	shown := proto.CloneOf(original)
	shown.Name = &name
	for _, f := range shown.Field {
		switch f.GetName() {
		case "capture_time":
			rename(f, "timestamp")
		case "format":
			rename(f, "waldo_format")
		}
		if inner, own := strings.CutPrefix(f.GetTypeName(), "."+c.Type+"."); own {
			f.TypeName = proto.String("." + l.name + "." + inner)
		}
	}
	if l.frameID {
		shown.Field = append(shown.Field, text("frame_id", frameIDField))
	}
	shown.Field = append(shown.Field, text("format", formatField))
	added := &descriptorpb.FileDescriptorProto{
		Name: proto.String("foxglove/" + name + ".proto"), Package: &pkg, Syntax: proto.String("proto3"),
		Dependency:  append(slices.Clone(file.Dependency), file.GetName()),
		MessageType: []*descriptorpb.DescriptorProto{shown},
	}
	return &descriptorpb.FileDescriptorSet{File: append(slices.Clone(c.Files.File), added)}, nil
}

func rename(f *descriptorpb.FieldDescriptorProto, name string) {
	f.Name, f.JsonName = &name, nil
}

func text(name string, number int32) *descriptorpb.FieldDescriptorProto {
	return &descriptorpb.FieldDescriptorProto{
		Name: &name, Number: &number, Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
}
