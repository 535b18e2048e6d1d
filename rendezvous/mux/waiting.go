package mux

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// waiting is the connections that are undecided, the oldest first.
type waiting struct {
	limits Limits

	mu     sync.Mutex
	closed bool
	all    *list.List // of *ticket
	of     map[netip.Prefix]int
}

// ticket is one of them. It leaves the list when it is decided, or when it is crowded out.
type ticket struct {
	conn    net.Conn
	address netip.Prefix
	at      *list.Element // nil when it has left
}

func newWaiting(limits Limits) *waiting {
	return &waiting{limits: limits, all: list.New(), of: map[netip.Prefix]int{}}
}

// add reports whether another connection had to go. After close, it closes the connection.
func (w *waiting) add(c net.Conn) (t *ticket, crowded bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t = &ticket{conn: c, address: addressOf(c)}
	if w.closed {
		_ = c.Close()
		return t, false
	}
	if w.of[t.address] >= w.limits.PerAddress {
		w.evict(func(o *ticket) bool { return o.address == t.address })
		crowded = true
	}
	if w.all.Len() >= w.limits.Total {
		w.evict(func(*ticket) bool { return true })
		crowded = true
	}
	t.at = w.all.PushBack(t)
	w.of[t.address]++
	return t, crowded
}

func (w *waiting) evict(which func(*ticket) bool) {
	for e := w.all.Front(); e != nil; e = e.Next() {
		if t := e.Value.(*ticket); which(t) {
			w.leave(t)
			_ = t.conn.Close()
			return
		}
	}
}

func (w *waiting) remove(t *ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leave(t)
}

func (w *waiting) leave(t *ticket) {
	if t.at == nil {
		return
	}
	w.all.Remove(t.at)
	t.at = nil
	if w.of[t.address]--; w.of[t.address] == 0 {
		delete(w.of, t.address)
	}
}

func (w *waiting) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Len()
}

func (w *waiting) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for e := w.all.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*ticket).conn.Close()
	}
}

// addressOf returns whose connection it is. Whoever has an IPv6 address has the other addresses of its /64 as well.
func addressOf(c net.Conn) netip.Prefix {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := a.AddrPort().Addr().Unmap()
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // an address has as many bits
	return p
}
