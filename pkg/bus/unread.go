package bus

import (
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// Unread is a message of type M that is not decoded yet.
type Unread[M proto.Message] struct {
	Raw
	by *coding[M]
	in *metrics
}

// SubscribeUnread is [Subscribe] for readers that need not decode each message, as what is repeated says nothing new.
func SubscribeUnread[M proto.Message](c *Conn, subject string, policy stream.Policy) (*Subscription[Unread[M]], error) {
	by := codingOf[M]()
	return subscribe(c, subject, policy, func(m *nats.Msg) (Unread[M], string) {
		r := unchecked(m.Subject, m.Header, m.Data)
		if r.Type != by.name {
			return Unread[M]{}, "type"
		}
		return Unread[M]{Raw: r, by: by, in: c.metrics}, ""
	})
}

// Read decodes the message. If ok is false it cannot be decoded, which is counted; it is to be ignored, as [Subscribe]
// does.
func (u Unread[M]) Read() (m M, ok bool) {
	m, wrong := u.by.decode(u.Data)
	if wrong != "" {
		u.in.ignored.WithLabelValues(wrong).Inc()
	}
	return m, wrong == ""
}
