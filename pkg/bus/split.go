package bus

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

const (
	// partHeader marks a part of a split message: "<id> <index> <count>". The first part has the message's other headers.
	partHeader = "Waldo-Part"
	// headerAllowance is kept free for headers in every part.
	headerAllowance = 4096
	// maxPart is the size of a part: a message that is larger than what any server on its way takes, as of another
	// machine that is connected by a leaf node, costs that connection. By default a server takes as much.
	maxPart = 1 << 20
	// maxMessage bounds a message: a raw 4K picture fits, an attack on memory does not.
	maxMessage = 64 << 20
	// maxParts bounds how finely a message may be split; the smallest sensible max_payload of 8 KiB leads to it.
	maxParts = maxMessage / headerAllowance
	// maxPartial and maxHeld bound how many unfinished messages, and bytes of them, a connection keeps, maxOfSender and
	// maxHeldOfSender how many of one sender. The largest message is held with the headers of its parts.
	maxPartial      = 64
	maxHeld         = 2 * maxMessage
	maxOfSender     = 16
	maxHeldOfSender = maxMessage + maxMessage/8
	// partLife is after what time without another part the beginning of a message is forgotten: the parts of one are sent
	// at once.
	partLife = 5 * time.Second
	// senderLength is how much of an id of nuid is the same for all that a process makes.
	senderLength = 12
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

// store keeps the beginnings of split messages, those of all subscriptions and services of a connection together, so
// that neither one sender nor many can make it keep more than is bearable. What has not grown for a while is forgotten.
// It is safe for concurrent use.
type store struct {
	metrics *metrics

	mu       sync.Mutex
	partials []*partial // the one that grew last is last
	timer    *time.Timer
	closed   bool
}

func newStore(m *metrics) *store { return &store{metrics: m} }

// joiner puts the parts of one subscription's messages together again. NATS keeps the order of one publisher, so a part
// out of its turn means that another was lost, and the message with it.
type joiner struct {
	store *store
	limit int // of a message
	// refuse is called with the first part of a message that is larger than the limit.
	refuse func(first *nats.Msg)
}

func (s *store) joiner() *joiner {
	return &joiner{store: s, limit: maxMessage, refuse: func(*nats.Msg) {}}
}

// join returns the message that m completes, m itself if it is whole, or nil. It keeps m's data, without copying.
func (j *joiner) join(m *nats.Msg) *nats.Msg {
	text := m.Header.Get(partHeader)
	if text == "" {
		if len(m.Data) > j.limit {
			return j.tooLarge(m)
		}
		return m
	}
	mark, ok := parseMark(text)
	if !ok || len(m.Data) == 0 {
		j.store.metrics.ignored.WithLabelValues("part").Inc()
		return nil
	}
	whole, tooLarge := j.joinPart(mark, m)
	if tooLarge != nil {
		return j.tooLarge(tooLarge)
	}
	return whole
}

// joinPart returns the message that a part completes, or the first part of one that has got too large, or neither.
func (j *joiner) joinPart(k mark, m *nats.Msg) (whole, tooLarge *nats.Msg) {
	j.store.mu.Lock()
	defer j.store.mu.Unlock()
	p := j.store.take(j, k.id)
	if k.index == 0 {
		p = &partial{owner: j, sender: senderOf(k.id), id: k.id, count: k.count, first: m}
	}
	last := k.index == k.count-1
	switch {
	case p != nil && p.size+len(m.Data) > j.limit:
		return nil, p.first
	case p == nil || !p.add(k, m):
		if last { // counted once for a message, however many of its parts come in vain
			j.store.lost()
		}
		return nil, nil
	case last:
		return p.whole(), nil
	default:
		j.store.keep(p)
		return nil, nil
	}
}

// tooLarge refuses a message, and returns that there is none.
func (j *joiner) tooLarge(first *nats.Msg) *nats.Msg {
	j.store.metrics.ignored.WithLabelValues("size").Inc()
	j.refuse(first)
	return nil
}

// close forgets what has begun.
func (j *joiner) close() {
	j.store.mu.Lock()
	defer j.store.mu.Unlock()
	j.store.partials = slices.DeleteFunc(j.store.partials, func(p *partial) bool { return p.owner == j })
}

// lost counts a message that will not become whole.
func (s *store) lost() { s.metrics.lost.WithLabelValues("split").Inc() }

// take removes and returns the partial message with this id, or returns nil. It needs mu, like all below.
func (s *store) take(owner *joiner, id string) *partial {
	i := slices.IndexFunc(s.partials, func(p *partial) bool { return p.owner == owner && p.id == id })
	if i < 0 {
		return nil
	}
	return s.remove(i)
}

func (s *store) remove(i int) *partial {
	p := s.partials[i]
	s.partials = slices.Delete(s.partials, i, i+1)
	return p
}

// keep waits for the rest of p. If its sender, or all together, have too much under way, what of that has not grown for
// longest is forgotten: the parts of a message come one right after the other.
func (s *store) keep(p *partial) {
	if s.closed {
		return
	}
	p.grown = time.Now()
	s.partials = append(s.partials, p)
	for number, bytes := s.under(p.sender); number > maxOfSender ||
		bytes > maxHeldOfSender; number, bytes = s.under(p.sender) {
		s.lost()
		s.remove(slices.IndexFunc(s.partials, func(other *partial) bool { return other.sender == p.sender }))
	}
	for len(s.partials) > maxPartial || s.held() > maxHeld {
		s.lost()
		s.remove(0)
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(partLife, s.expire)
	}
}

// expire forgets what has not grown for a while.
func (s *store) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = nil
	for len(s.partials) > 0 && time.Since(s.partials[0].grown) >= partLife {
		s.lost()
		s.remove(0)
	}
	if len(s.partials) > 0 {
		s.timer = time.AfterFunc(partLife-time.Since(s.partials[0].grown), s.expire)
	}
}

// close forgets everything, for good.
func (s *store) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.partials = true, nil
	if s.timer != nil {
		s.timer.Stop()
	}
}

// under is what a sender has under way.
func (s *store) under(sender string) (number, bytes int) {
	for _, p := range s.partials {
		if p.sender == sender {
			number++
			bytes += p.held
		}
	}
	return number, bytes
}

func (s *store) held() (n int) {
	for _, p := range s.partials {
		n += p.held
	}
	return n
}

// senderOf returns who made an id: all that one process makes begin alike.
func senderOf(id string) string { return id[:min(len(id), senderLength)] }

// partial is the beginning of a message.
type partial struct {
	owner  *joiner
	sender string
	id     string
	count  int
	first  *nats.Msg
	parts  [][]byte
	size   int // of the data
	held   int // with headers
	grown  time.Time
}

func (p *partial) add(k mark, m *nats.Msg) bool {
	if k.index != len(p.parts) || k.count != p.count {
		return false
	}
	p.parts = append(p.parts, m.Data)
	p.size += len(m.Data)
	p.held += m.Size()
	return true
}

func (p *partial) whole() *nats.Msg {
	p.first.Header.Del(partHeader)
	return &nats.Msg{Subject: p.first.Subject, Reply: p.first.Reply, Header: p.first.Header,
		Data: bytes.Join(p.parts, nil)}
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
