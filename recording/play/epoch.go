package play

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/waldo-robot/waldo/pkg/access"
)

// Epochs gives each life of a recorded device an epoch of its own, a new one after every jump: readers must not take
// what follows for a continuation. The zero value is ready to use, for one goroutine.
type Epochs struct{ of map[int64]int64 }

// Jump forgets the epochs.
func (e *Epochs) Jump() { e.of = nil }

// Of returns the epoch in place of a recorded one.
func (e *Epochs) Of(recorded int64) int64 {
	if e.of == nil {
		e.of = map[int64]int64{}
	}
	epoch, known := e.of[recorded]
	if !known {
		epoch = access.NewID()
		e.of[recorded] = epoch
	}
	return epoch
}

// EpochField returns the number of the field that tells the epoch of messages: int64 epoch, at their top level. 0 if
// there is none.
func EpochField(message protoreflect.MessageDescriptor) protowire.Number {
	f := message.Fields().ByName("epoch")
	if f == nil || f.Kind() != protoreflect.Int64Kind || f.IsList() || f.ContainingOneof() != nil {
		return 0
	}
	return f.Number()
}

// WithEpoch returns a message whose epoch, in a field of a number, is replaced; all else stays as it is, byte for byte.
// One without an epoch, or that is no protobuf message, is returned as it is.
func (e *Epochs) WithEpoch(message []byte, field protowire.Number) []byte {
	if field == 0 {
		return message
	}
	for rest := message; len(rest) > 0; {
		number, kind, n := protowire.ConsumeField(rest)
		if n < 0 {
			return message
		}
		if number == field && kind == protowire.VarintType {
			_, _, tag := protowire.ConsumeTag(rest)
			recorded, _ := protowire.ConsumeVarint(rest[tag:])
			return splice(message, len(message)-len(rest), n, field, e.Of(int64(recorded)))
		}
		rest = rest[n:]
	}
	return message
}

// splice replaces the field that stands at a place in a message.
func splice(message []byte, at, length int, field protowire.Number, value int64) []byte {
	out := make([]byte, 0, len(message)+protowire.SizeVarint(uint64(value)))
	out = append(out, message[:at]...)
	out = protowire.AppendTag(out, field, protowire.VarintType)
	out = protowire.AppendVarint(out, uint64(value))
	return append(out, message[at+length:]...)
}
