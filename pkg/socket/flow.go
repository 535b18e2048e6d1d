package socket

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"
)

const (
	// maxJoined is how many packets the system takes at once (UDP_MAX_SEGMENTS of Linux before 6.9), and maxBytes how many
	// bytes: what fits into one IP packet, IPv6 included.
	maxJoined = 64
	maxBytes  = 65535 - 8 - 40
)

// Together sends packets of RTP together. It calls write; packets of this synchronization source that are written
// meanwhile may leave only when write has returned. Packets of the same size in a row cost one system call, and the
// network layers see them as one, until the card or the system cuts them (UDP_SEGMENT, udp(7)). What is sent to the
// network is the same, in the same order.
//
// Errors of packets that leave later are lost, as packets are.
func (p *Packets) Together(ssrc uint32, write func()) {
	if !p.joins {
		write()
		return
	}
	f := flowPool.Get().(*flow)
	f.begin(p)
	if !p.begin(ssrc, f) { // two connections have chosen the same number
		flowPool.Put(f)
		write()
		return
	}
	defer func() {
		p.mu.Lock()
		delete(p.flows, ssrc)
		p.mu.Unlock()
		f.end()
		flowPool.Put(f)
	}()
	write()
}

func (p *Packets) begin(ssrc uint32, f *flow) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flows[ssrc] != nil {
		return false
	}
	p.flows[ssrc] = f
	return true
}

var flowPool = sync.Pool{New: func() any { return &flow{} }}

// flow holds packets of one source and one size back.
type flow struct {
	packets *Packets

	mu    sync.Mutex
	ended bool
	to    netip.AddrPort
	data  []byte
	size  int // of a packet; the last may be smaller
	count int
}

// add holds a packet back, or sends it with those before it.
func (f *flow) add(b []byte, to netip.AddrPort) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return f.packets.send(b, to, 0)
	}
	if f.count > 0 && (to != f.to || len(b) > f.size || len(f.data)+len(b) > maxBytes) {
		f.flush()
	}
	if f.count == 0 {
		f.to, f.size = to, len(b)
	}
	f.data = append(f.data, b...)
	f.count++
	if len(b) < f.size || f.count == maxJoined {
		f.flush()
	}
	return nil
}

// flush sends what is held back. Where the way to this peer does not allow to cut it, one packet follows another.
func (f *flow) flush() {
	defer func() { f.data, f.count = f.data[:0], 0 }()
	if f.count == 0 {
		return
	}
	if f.count == 1 {
		_ = f.packets.send(f.data, f.to, 0)
		return
	}
	if err := f.packets.send(f.data, f.to, f.size); err == nil || !uncut(err) {
		return
	}
	for rest := f.data; len(rest) > 0; {
		n := min(f.size, len(rest))
		_ = f.packets.send(rest[:n], f.to, 0)
		rest = rest[n:]
	}
}

func (f *flow) begin(p *Packets) {
	f.mu.Lock()
	f.packets, f.ended = p, false
	f.mu.Unlock()
}

// end sends the rest. A packet that comes later, because it found the flow before, is sent at once.
func (f *flow) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flush()
	f.ended = true
}

// uncut reports whether an error says that packets cannot be cut on the way they would take: they are too large for it,
// or it encrypts them.
func uncut(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EMSGSIZE) || errors.Is(err, syscall.EIO)
}
