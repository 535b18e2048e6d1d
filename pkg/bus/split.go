package bus

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

const (
	// partHeader marks a part of a split message: "<id> <index> <count>". The first part has the message's other headers.
	partHeader = "Waldo-Part"
	// headerAllowance is kept free for headers in every part.
	headerAllowance = 4096
	// maxMessage bounds a message: a raw 4K picture fits, an attack on memory does not.
	maxMessage = 64 << 20
	// maxParts bounds how finely a message may be split; the smallest sensible max_payload of 8 KiB leads to it.
	maxParts = maxMessage / headerAllowance
	// maxPartial and maxHeld bound how many unfinished messages, and bytes of them, a subscription keeps.
	maxPartial = 64
	maxHeld    = 2 * maxMessage
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
	partials []*partial // the one that grew last is last
}

func newJoiner(m *metrics) *joiner { return &joiner{metrics: m} }

// join returns the message that m completes, m itself if it is whole, or nil. It keeps m's data, without copying.
func (j *joiner) join(m *nats.Msg) *nats.Msg {
	text := m.Header.Get(partHeader)
	if text == "" {
		return m
	}
	mark, ok := parseMark(text)
	if !ok || len(m.Data) == 0 {
		j.metrics.ignored.WithLabelValues("part").Inc()
		return nil
	}
	p := j.take(mark.id)
	if mark.index == 0 {
		p = &partial{id: mark.id, count: mark.count, first: m}
	}
	last := mark.index == mark.count-1
	switch {
	case p == nil || !p.add(mark, m):
		if last { // said once for a message, however many of its parts come in vain
			j.metrics.lost.WithLabelValues("split").Inc()
		}
		return nil
	case last:
		return p.whole()
	default:
		j.keep(p)
		return nil
	}
}

// take removes and returns the partial message with this id, or returns nil.
func (j *joiner) take(id string) *partial {
	i := slices.IndexFunc(j.partials, func(p *partial) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	p := j.partials[i]
	j.partials = slices.Delete(j.partials, i, i+1)
	return p
}

// keep waits for the rest of p, and forgets those that have not grown for longest if there is too much.
func (j *joiner) keep(p *partial) {
	j.partials = append(j.partials, p)
	for len(j.partials) > maxPartial || j.held() > maxHeld {
		j.metrics.lost.WithLabelValues("split").Inc()
		j.partials = slices.Delete(j.partials, 0, 1)
	}
}

func (j *joiner) held() (n int) {
	for _, p := range j.partials {
		n += p.held
	}
	return n
}

// partial is the beginning of a message.
type partial struct {
	id    string
	count int
	first *nats.Msg
	parts [][]byte
	size  int // of the data
	held  int // with headers
}

func (p *partial) add(k mark, m *nats.Msg) bool {
	if k.index != len(p.parts) || k.count != p.count || p.size+len(m.Data) > maxMessage {
		return false
	}
	p.parts = append(p.parts, m.Data)
	p.size += len(m.Data)
	p.held += m.Size()
	return true
}

func (p *partial) whole() *nats.Msg {
	p.first.Header.Del(partHeader)
	return &nats.Msg{Subject: p.first.Subject, Reply: p.first.Reply, Header: p.first.Header, Data: bytes.Join(p.parts, nil)}
}

// mark is the content of partHeader.
type mark struct {
	id           string
	index, count int
}

func parseMark(s string) (mark, bool) {
	fields := strings.Split(s, " ")
	if len(fields) != 3 || fields[0] == "" {
		return mark{}, false
	}
	index, err := strconv.Atoi(fields[1])
	count, err2 := strconv.Atoi(fields[2])
	ok := err == nil && err2 == nil && index >= 0 && index < count && count <= maxParts
	return mark{fields[0], index, count}, ok
}
