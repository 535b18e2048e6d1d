package calls

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
)

// report is the type of the field in which an actuator says how it has judged a command.
var report = (&controlv1.CommandReport{}).ProtoReflect().Descriptor().FullName()

// reader returns what reads the response to a call of a peer; nil if nobody wants to know.
func (c *Caller) reader(call *Call) func(proto.Message) {
	if c.commands == nil || call.Peer == "" {
		return nil
	}
	return func(response proto.Message) {
		if accepted(response.ProtoReflect()) {
			c.commands.Accepted(call.Peer, call.Device)
		}
	}
}

// accepted reports whether a response is that of an actuator which has accepted a command. Only the actuator can tell:
// a header may be of a lease that its sender does not hold.
func accepted(response protoreflect.Message) bool {
	fields := response.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Message() == nil || f.Message().FullName() != report || f.Cardinality() == protoreflect.Repeated ||
			!response.Has(f) {
			continue
		}
		judged := response.Get(f).Message()
		verdict := judged.Descriptor().Fields().ByName("verdict")
		return verdict != nil && verdict.Kind() == protoreflect.EnumKind && verdict.Cardinality() != protoreflect.Repeated &&
			judged.Get(verdict).Enum() == controlv1.CommandVerdict_COMMAND_VERDICT_ACCEPTED.Number()
	}
	return false
}
