package bus

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// Join is [SubscribeRaw] as a member of a queue group: the server gives each message to one member, at random. The
// parts of a message that is too large for one would go to different members, so none can read it: one of them gets its
// first part, with the number in [Raw.Parts], and the other parts are counted and ignored.
func Join(c *Conn, subject, group string, policy stream.Policy) (*Subscription[Raw], error) {
	if group == "" {
		return nil, fmt.Errorf("join a group of %s: the group has no name", subject)
	}
	return subscribeAs(c, subject, group, policy, func() {}, func(m *nats.Msg) (Raw, string) {
		return dealt(m.Subject, m.Header, m.Data)
	})
}

// dealt reads a message that was dealt to a member of a group.
func dealt(subject string, header nats.Header, data []byte) (r Raw, wrong string) {
	parts := 1
	if text := header.Get(partHeader); text != "" {
		k, ok := parseMark(text)
		if !ok || k.index != 0 {
			return r, "part"
		}
		parts = k.count
	}
	if r, wrong = raw(subject, header, data); wrong == "" {
		r.Parts = parts
	}
	return r, wrong
}

// raw reads a message without decoding it.
func raw(subject string, header nats.Header, data []byte) (r Raw, wrong string) {
	if r = unchecked(subject, header, data); !isType(r.Type) {
		return r, "type"
	}
	return r, ""
}

// unchecked is raw for callers that look at the type themselves.
func unchecked(subject string, header nats.Header, data []byte) Raw {
	epoch, _ := strconv.ParseInt(header.Get(epochHeader), 10, 64) // 0 without one
	return Raw{Subject: subject, Type: header.Get(typeHeader), Epoch: epoch, Parts: 1, Data: data}
}

// isType reports whether a type can have the name.
func isType(name string) bool {
	return len(name) <= maxTypeName && protoreflect.FullName(name).IsValid()
}

// durable turns a subject into a name that JetStream takes. The parts of a subject have no underscores, so no other
// subject has the same name.
func durable(subject string) string { return strings.ReplaceAll(subject, ".", "_") }
