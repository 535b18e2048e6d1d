package recording

import (
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/waldo-robot/waldo/recording/internal/schema"
)

// Facts are what a message says of itself.
type Facts struct {
	Epoch    int64     // the life of the process that produced it; 0 if it does not say
	Sequence int64     // its position in the stream; 0 if it has none
	Captured time.Time // when its content was captured; zero if it does not say
	Key      bool      // decoding can begin here; false for what is not media
	Media    []byte    // its media type; it shares the memory of the message
}

// Fields are the numbers of the fields by which messages of a type say so; 0: none does. The zero value knows of none.
type Fields struct {
	epoch, sequence, captured, key protowire.Number
	format, media                  protowire.Number // the media type is a field of a field
}

// capturedNames are the fields that say when the content of a message was captured.
var capturedNames = []string{"capture_time", "read_time", "event_time", "judge_time", "publish_time"}

// FieldsOf finds the fields of a type: `epoch`, `sequence`, `key_frame`, `capture_time` or a like time, and the field
// `media_type` of `format`.
func FieldsOf(files *descriptorpb.FileDescriptorSet, of string) Fields {
	_, message := schema.Find(files, of)
	var f Fields
	for _, name := range capturedNames {
		if f.captured == 0 {
			f.captured = field(message, name, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, ".google.protobuf.Timestamp")
		}
	}
	f.epoch = field(message, "epoch", descriptorpb.FieldDescriptorProto_TYPE_INT64, "")
	f.sequence = field(message, "sequence", descriptorpb.FieldDescriptorProto_TYPE_INT64, "")
	f.key = field(message, "key_frame", descriptorpb.FieldDescriptorProto_TYPE_BOOL, "")
	if of == videoFrame || of == audioFrame {
		format := strings.TrimSuffix(of, "Frame") + "Format"
		_, inner := schema.Find(files, format)
		f.format = field(message, "format", descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, "."+format)
		f.media = field(inner, "media_type", descriptorpb.FieldDescriptorProto_TYPE_STRING, "")
	}
	return f
}

// field returns the number of a field that is there once.
func field(m *descriptorpb.DescriptorProto, name string, kind descriptorpb.FieldDescriptorProto_Type,
	typeName string) protowire.Number {
	for _, f := range m.GetField() {
		if f.GetName() == name && f.GetType() == kind && f.GetTypeName() == typeName &&
			f.GetLabel() != descriptorpb.FieldDescriptorProto_LABEL_REPEATED {
			return protowire.Number(f.GetNumber())
		}
	}
	return 0
}

// HasMedia reports whether messages of the type name their media type.
func (f Fields) HasMedia() bool { return f.media != 0 }

// Read returns what a message says. What cannot be read is not known.
func (f Fields) Read(message []byte) Facts {
	var facts Facts
	each(message, func(number protowire.Number, value uint64, data []byte) {
		switch {
		case number == f.epoch && data == nil:
			facts.Epoch = int64(value)
		case number == f.sequence && data == nil:
			facts.Sequence = int64(value)
		case number == f.key && data == nil:
			facts.Key = value != 0
		case number == f.captured && data != nil:
			facts.Captured = timestamp(data)
		case number == f.format && data != nil:
			each(data, func(number protowire.Number, _ uint64, data []byte) {
				if number == f.media && data != nil {
					facts.Media = data
				}
			})
		}
	})
	return facts
}

// each calls yield for each field of a message, with its value if it is a number, else with its bytes, until something
// cannot be read.
func each(message []byte, yield func(number protowire.Number, value uint64, data []byte)) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		switch kind {
		case protowire.VarintType:
			value, n := protowire.ConsumeVarint(message)
			if n < 0 {
				return
			}
			yield(number, value, nil)
			message = message[n:]
		case protowire.BytesType:
			data, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return
			}
			yield(number, 0, data)
			message = message[n:]
		default:
			n := protowire.ConsumeFieldValue(number, kind, message)
			if n < 0 {
				return
			}
			message = message[n:]
		}
	}
}

// timestamp reads a google.protobuf.Timestamp; zero if it cannot be one.
func timestamp(data []byte) time.Time {
	const first, last = -62135596800, 253402300799 // the years 1 to 9999
	var seconds, nanos int64
	each(data, func(number protowire.Number, value uint64, _ []byte) {
		switch number {
		case 1:
			seconds = int64(value)
		case 2:
			nanos = int64(value)
		}
	})
	if seconds < first || seconds > last || nanos < 0 || nanos >= int64(time.Second) {
		return time.Time{}
	}
	return time.Unix(seconds, nanos)
}
