package socket

import (
	"net/netip"
	"sync"
)

const (
	// maxJoined is how many packets the system takes at once (UDP_MAX_SEGMENTS of Linux before 6.9), and maxBytes how many
	// bytes: what fits into one IP packet, IPv6 included.
	maxJoined = 64
	maxBytes  = 65535 - 8 - 40
)

// Together sends packets of RTP together. It calls write; packets of this synchronization source that are written
// meanwhile may leave only when write has returned. Packets of the same size in a row cost one system call, and the
// network layers see them as one, until the card or the system cuts them; see [Batching]. What is sent to the network
// is the same, in the same order.
//
// Errors of packets that leave later are only told to [Options].Failed.
func (p *Packets) Together(ssrc uint32, write func()) {
	if p.off {
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

// maxHeld is how many bytes a flow holds back: ten packets, and some more.
const maxHeld = 16 << 10

var flowPool = sync.Pool{New: func() any { return &flow{data: make([]byte, 0, maxHeld)} }}

// flow holds packets of one source back while they make a run.
type flow struct {
	packets *Packets

	mu    sync.Mutex
	ended bool
	to    netip.AddrPort
	data  []byte // what the run consists of
	run   Run
}

// add holds a packet back, or sends it with those before it.
func (f *flow) add(b []byte, to netip.AddrPort) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || len(b) > maxHeld {
		f.flush()
		return f.packets.sendOne(b, to)
	}
	if to != f.to || len(f.data)+len(b) > maxHeld {
		f.flush()
		f.to = to
	}
	if !f.hold(b) {
		f.flush()
		f.hold(b)
	}
	return nil
}

// hold adds a packet to the run, if it goes with those before it.
func (f *flow) hold(b []byte) bool {
	n := len(f.data)
	f.data = append(f.data, b...)
	if f.run.Add(f.data[n:]) {
		return true
	}
	f.data = f.data[:n]
	return false
}

// flush sends what is held back.
func (f *flow) flush() {
	if f.run.count > 0 {
		_ = f.packets.send(&f.run, f.to) // who wants to know has been told
		f.run.Reset()
	}
	f.data = f.data[:0]
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
