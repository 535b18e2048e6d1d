package socket

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Bursts is a socket of UDP that moves many packets with one system call, for programs that forward packets. What has
// arrived comes out together; packets of one sender and one size come as one piece of memory where the system joins
// them (UDP_GRO, udp(7)). A [Run] goes out at once (UDP_SEGMENT). What is on the network is the same as without.
//
// Use only Receive to receive: the other ways to read see joined packets as one.
type Bursts struct {
	*net.UDPConn
	descriptor *descriptor
	out        outlet
	in         struct {
		mu     sync.Mutex
		handle func(data []byte, size int, from netip.AddrPort)
		done   func() bool
		errno  syscall.Errno
		step   func(fd uintptr) (done bool)
	}
}

// NewBursts makes Bursts of a socket, which belongs to it from now on; if it fails, the socket is closed.
func NewBursts(c *net.UDPConn) (*Bursts, error) {
	d, err := describe(c)
	if err == nil && supported {
		err = d.raw.Control(func(fd uintptr) { joinArrivals(int(fd)) })
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	b := &Bursts{UDPConn: c, descriptor: d}
	b.in.step = b.receive
	b.out.calls, b.out.cuts = &direct{d}, cutting(Auto, d) == nil
	b.out.many.Store(true)
	return b, nil
}

// Close closes the socket.
func (b *Bursts) Close() error { return b.descriptor.close(b.UDPConn) }

// Receive waits until packets have arrived, and hands them over in the order of their arrival: data holds one packet or
// several of the same sender, each of size bytes, except for the last, which can be shorter. An IPv4 address comes as
// such from every socket. Then it calls done: until that returns, the memory of all of them is valid. If it returns
// true, Receive goes on and waits for more. While nothing arrives, Receive holds no memory.
//
// Close waits until neither function is running, so they must not call it, nor wait for who does.
func (b *Bursts) Receive(handle func(data []byte, size int, from netip.AddrPort), done func() bool) error {
	if !supported {
		return b.receiveOnes(handle, done)
	}
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	b.in.handle, b.in.done, b.in.errno = handle, done, 0
	err := b.descriptor.raw.Read(b.in.step)
	b.in.handle, b.in.done = nil, nil
	if err != nil || b.in.errno != 0 {
		return failed("read", b.UDPConn, cause("recvmmsg", err, b.in.errno))
	}
	return nil
}

func (b *Bursts) receiveOnes(handle func(data []byte, size int, from netip.AddrPort), done func() bool) error {
	one := batches.Get().(*batch)
	defer batches.Put(one)
	for {
		n, from, err := b.ReadFromUDPAddrPort(one.data[:maxPacket])
		if err != nil {
			return err
		}
		handle(one.data[:n], max(n, 1), netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		if !done() {
			return nil
		}
	}
}

// receive takes what has arrived. It returns false to wait for more: the socket is empty then, or has become readable
// again since it was.
func (b *Bursts) receive(fd uintptr) bool {
	one := batches.Get().(*batch)
	defer batches.Put(one)
	for {
		errno := one.receive(fd)
		if errno == syscall.EAGAIN {
			return false
		}
		if b.in.errno = errno; errno != 0 {
			return true
		}
		happenAfter(fd)
		full := one.full()
		one.each(b.in.handle)
		if !b.in.done() {
			return true
		}
		if !full {
			return false
		}
	}
}

// WriteToAddrPort sends a packet.
func (b *Bursts) WriteToAddrPort(data []byte, to netip.AddrPort) (int, error) {
	var run Run
	run.Add(data)
	return len(data), b.Send(&run, to)
}

// Send sends the packets of a run. Where the way to this peer does not allow to cut them, they leave one by one; see
// [Auto].
func (b *Bursts) Send(run *Run, to netip.AddrPort) error {
	if run.count == 0 {
		return nil
	}
	return b.out.sendTo(run, to, b.UDPConn, b.descriptor.v6)
}

const (
	maxPacket  = 65536 // of UDP, and of what the system joins
	batchCount = 16    // pieces that one call takes
)

var batches = sync.Pool{New: func() any { return newBatch() }}
