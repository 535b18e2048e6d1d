package socket

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Options adjusts a socket. The zero value works.
type Options struct {
	Batching Batching
	// Failed is told of packets that did not leave as they should; nil: nobody is. It must not wait.
	Failed func(Failure)
}

// Packets is a socket of UDP. ReadFromAddrPort and WriteToAddrPort are the cheap way; see also [Packets.Together].
type Packets struct {
	*net.UDPConn
	descriptor *descriptor
	out        outlet
	in         arrival
	off        bool  // nothing is held back
	uncut      error // why the system does not cut packets; nil if it does

	mu    sync.RWMutex
	flows map[uint32]*flow
}

// NewPackets makes Packets of a socket, which belongs to it from now on; if it fails, the socket is closed.
func NewPackets(c *net.UDPConn, o Options) (*Packets, error) {
	d, err := describe(c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	p := &Packets{UDPConn: c, descriptor: d, flows: map[uint32]*flow{}, uncut: cutting(o.Batching, d)}
	p.in.step = p.in.receive
	p.off = o.Batching == Off || !supported
	p.out.calls, p.out.failed, p.out.cuts = &direct{d}, o.Failed, p.uncut == nil
	p.out.many.Store(!p.off)
	return p, nil
}

// Uncut returns why the system does not cut what is sent into packets; nil if it does.
func (p *Packets) Uncut() error { return p.uncut }

// Close closes the socket.
func (p *Packets) Close() error { return p.descriptor.close(p.UDPConn) }

// ReadFromAddrPort reads a packet. A packet that is longer than b is cut.
func (p *Packets) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	if !supported {
		return p.ReadFromUDPAddrPort(b)
	}
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.in.data = b
	err := p.descriptor.raw.Read(p.in.step)
	p.in.data = nil
	if err != nil || p.in.errno != 0 {
		return 0, netip.AddrPort{}, failed("read", p.UDPConn, cause("recvfrom", err, p.in.errno))
	}
	return p.in.n, p.in.from.addrPort(), nil
}

// WriteToAddrPort sends a packet. Between the ends of [Packets.Together], it can be sent later.
func (p *Packets) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if f := p.flow(b); f != nil {
		return len(b), f.add(b, to)
	}
	return len(b), p.sendOne(b, to)
}

func (p *Packets) sendOne(b []byte, to netip.AddrPort) error {
	run := runs.Get().(*Run)
	defer runs.Put(run)
	run.Add(b)
	defer run.Reset()
	return p.send(run, to)
}

var runs = sync.Pool{New: func() any { return &Run{} }}

// send sends the packets of a run.
func (p *Packets) send(run *Run, to netip.AddrPort) error {
	return p.out.sendTo(run, to, p.UDPConn, p.descriptor.v6)
}

// flow returns the flow that a packet belongs to, if it is one of RTP whose flow is being sent; see RFC 3550, 5.1.
func (p *Packets) flow(b []byte) *flow {
	const headerSize, version2 = 12, 2
	if len(b) < headerSize || b[0]>>6 != version2 {
		return nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.flows[binary.BigEndian.Uint32(b[8:])]
}

// arrival is the current call of ReadFromAddrPort.
type arrival struct {
	mu    sync.Mutex
	data  []byte
	n     int
	from  place
	errno syscall.Errno
	step  func(fd uintptr) (done bool)
}

func (a *arrival) receive(fd uintptr) bool {
	a.n, a.errno = receiveFrom(fd, a.data, &a.from)
	return a.errno != syscall.EAGAIN
}
