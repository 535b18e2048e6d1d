package bus

import (
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

// PublishRaw sends a message as it was received from another connection, to everybody who subscribes to subject now.
// Otherwise it is like [Conn.Publish].
func (c *Conn) PublishRaw(subject string, r Raw) error {
	if err := c.send(rawMsg(subject, r)); err != nil {
		return fmt.Errorf("publish to %s: %w", subject, err)
	}
	return nil
}

// Part is a part of a message; readers join it with the others.
type Part struct{ msg *nats.Msg }

// Cut returns a message in parts of at most size bytes, in order, for a sender that wants to send other messages in
// between. Each is sent by [Conn.PublishPart], and the next within 5 s. The parts are larger if there would be more
// than a reader joins.
func Cut(subject string, r Raw, size int) []Part {
	size = min(max(size, len(r.Data)/maxParts+1), maxPart-headerAllowance)
	messages := split(rawMsg(subject, r), int64(size+headerAllowance))
	parts := make([]Part, len(messages))
	for i, m := range messages {
		parts[i] = Part{m}
	}
	return parts
}

// Size is how many bytes of the message are in the part.
func (p Part) Size() int { return len(p.msg.Data) }

// PublishPart sends a part.
func (c *Conn) PublishPart(p Part) error {
	if err := c.send(p.msg); err != nil {
		return fmt.Errorf("publish to %s: %w", p.msg.Subject, err)
	}
	return nil
}

func rawMsg(subject string, r Raw) *nats.Msg {
	header := nats.Header{typeHeader: {r.Type}}
	if r.Epoch != 0 {
		header[epochHeader] = []string{strconv.FormatInt(r.Epoch, 10)}
	}
	return &nats.Msg{Subject: subject, Header: header, Data: r.Data}
}
