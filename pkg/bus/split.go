package bus

import (
	"fmt"
	"maps"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

const (
	// partHeader marks a part of a split message: "<id> <index> <count>". The first part has the message's other headers.
	partHeader = "Waldo-Part"
	// headerAllowance is kept free for headers in every part.
	headerAllowance = 4096
	// maxMessage bounds a joined message: a raw 4K picture fits, an attack on memory does not.
	maxMessage = 64 << 20
	// maxPartial is how many unfinished messages a subscription keeps; more can only come from lost parts.
	maxPartial = 8
)

// split returns m itself if it fits the server's limit, or else its parts in order.
func split(m *nats.Msg, limit int64) []*nats.Msg {
	room := int(limit) - headerAllowance
	if room <= 0 || len(m.Data) <= room {
		return []*nats.Msg{m}
	}
	id, count := nuid.Next(), (len(m.Data)+room-1)/room
	parts := make([]*nats.Msg, count)
	for i := range parts {
		header := nats.Header{}
		if i == 0 {
			maps.Copy(header, m.Header)
		}
		header.Set(partHeader, fmt.Sprintf("%s %d %d", id, i, count))
		data := m.Data[i*room : min((i+1)*room, len(m.Data))]
		parts[i] = &nats.Msg{Subject: m.Subject, Reply: m.Reply, Header: header, Data: data}
	}
	return parts
}

// joiner puts parts together again. NATS keeps the order of one publisher, so a part out of its turn means that another was
// lost, and the message with it. Not safe for concurrent use.
type joiner struct {
	metrics  *metrics
	partials []*partial
}

type partial struct {
	id    string
	msg   *nats.Msg
	next  int
	count int
}

func newJoiner(m *metrics) *joiner { return &joiner{metrics: m} }

// join returns the message that m completes, m itself if it is whole, or nil.
func (j *joiner) join(m *nats.Msg) *nats.Msg {
	mark := m.Header.Get(partHeader)
	if mark == "" {
		return m
	}
	var id string
	var index, count int
	if n, err := fmt.Sscanf(mark, "%s %d %d", &id, &index, &count); n != 3 || err != nil || index < 0 || index >= count {
		j.metrics.ignored.WithLabelValues("part").Inc()
		return nil
	}
	if index == 0 {
		j.begin(id, count, m)
	} else {
		j.extend(id, index, count, m.Data)
	}
	return j.finish(id)
}

func (j *joiner) begin(id string, count int, m *nats.Msg) {
	j.drop(id)
	if len(j.partials) == maxPartial {
		j.metrics.lost.WithLabelValues("split").Inc()
		j.partials = j.partials[1:]
	}
	m.Header.Del(partHeader)
	whole := &nats.Msg{Subject: m.Subject, Reply: m.Reply, Header: m.Header, Data: append([]byte(nil), m.Data...)}
	j.partials = append(j.partials, &partial{id: id, msg: whole, next: 1, count: count})
}

func (j *joiner) extend(id string, index, count int, data []byte) {
	p := j.find(id)
	if p == nil || p.next != index || p.count != count || len(p.msg.Data)+len(data) > maxMessage {
		j.metrics.lost.WithLabelValues("split").Inc()
		j.drop(id)
		return
	}
	p.msg.Data = append(p.msg.Data, data...)
	p.next++
}

func (j *joiner) finish(id string) *nats.Msg {
	p := j.find(id)
	if p == nil || p.next < p.count {
		return nil
	}
	j.drop(id)
	return p.msg
}

func (j *joiner) find(id string) *partial {
	for _, p := range j.partials {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (j *joiner) drop(id string) {
	kept := j.partials[:0]
	for _, p := range j.partials {
		if p.id != id {
			kept = append(kept, p)
		}
	}
	clear(j.partials[len(kept):])
	j.partials = kept
}
