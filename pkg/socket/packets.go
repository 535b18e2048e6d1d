package socket

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Packets is a socket of UDP. ReadFromAddrPort and WriteToAddrPort are the cheap way; see also [Packets.Together].
type Packets struct {
	*net.UDPConn
	raw   syscall.RawConn
	v6    bool
	in    arrival
	out   departure
	joins bool // the system can cut packets

	mu    sync.RWMutex
	flows map[uint32]*flow
}

// NewPackets makes Packets of a socket, which belongs to it from now on; if it fails, the socket is closed.
func NewPackets(c *net.UDPConn) (*Packets, error) {
	p := &Packets{UDPConn: c, flows: map[uint32]*flow{}}
	p.in.step, p.out.step = p.in.receive, p.out.send
	var err error
	if p.raw, err = c.SyscallConn(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	err = p.raw.Control(func(fd uintptr) {
		local, _ := syscall.Getsockname(int(fd)) // nil is IPv4, which a socket of IPv6 would refuse
		_, p.v6 = local.(*syscall.SockaddrInet6)
		p.joins = supported && joins(int(fd))
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return p, nil
}

// ReadFromAddrPort reads a packet. A packet that is longer than b is cut.
func (p *Packets) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	if !supported {
		return p.ReadFromUDPAddrPort(b)
	}
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.in.data = b
	err := p.raw.Read(p.in.step)
	p.in.data = nil
	if err != nil || p.in.errno != 0 {
		return 0, netip.AddrPort{}, p.failed("read", "recvfrom", err, p.in.errno)
	}
	return p.in.n, p.in.from.addrPort(), nil
}

// WriteToAddrPort sends a packet. Between the ends of [Packets.Together], it can be sent later.
func (p *Packets) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if f := p.flow(b); f != nil {
		return len(b), f.add(b, to)
	}
	return len(b), p.send(b, to, 0)
}

// send sends one packet, or with a size several.
func (p *Packets) send(b []byte, to netip.AddrPort, size int) error {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	if !supported || !p.out.to.set(to, p.v6) {
		_, err := p.WriteToUDPAddrPort(b, to)
		return err
	}
	p.out.data, p.out.size = b, size
	err := p.raw.Write(p.out.step)
	p.out.data = nil
	if err != nil || p.out.errno != 0 {
		return p.failed("write", "sendmsg", err, p.out.errno)
	}
	return nil
}

func (p *Packets) failed(op, call string, err error, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "udp", Source: p.LocalAddr(), Err: cause(call, err, errno)}
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

// departure is the current call of send.
type departure struct {
	mu    sync.Mutex
	data  []byte
	size  int
	to    place
	errno syscall.Errno
	step  func(fd uintptr) (done bool)
}

func (d *departure) send(fd uintptr) bool {
	_, d.errno = sendTo(fd, d.data, &d.to, d.size)
	return d.errno != syscall.EAGAIN
}
