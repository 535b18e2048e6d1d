package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Batching says how packets that leave together are given to the system.
type Batching int

const (
	// Auto has the system cut one piece of memory into packets (UDP_SEGMENT, udp(7)) if its kernel is not known to damage
	// them and a test succeeds. Otherwise, and to peers on whose way nothing can be cut, one call sends several packets
	// (sendmmsg(2)), and where that is refused too, each takes a call.
	Auto Batching = iota
	// On does the same whatever the kernel and without the test.
	On
	// Off sends each packet by a call of its own.
	Off
)

// batchings are the names of Batching in settings.
var batchings = []string{Auto: "auto", On: "on", Off: "off"}

func (b Batching) String() string { return batchings[b] }

// ParseBatching reads auto, on or off.
func ParseBatching(text string) (Batching, error) {
	for b, name := range batchings {
		if text == name {
			return Batching(b), nil
		}
	}
	return Auto, fmt.Errorf("%q is not valid: use auto, on or off", text)
}

// Call is a way to send packets.
type Call string

// The ways to send packets.
const (
	Segments Call = "segments" // one piece of memory, which the system cuts
	Messages Call = "messages" // several packets by one call
	Single   Call = "single"   // one packet
)

// Failure tells of packets that did not leave as they should.
type Failure struct {
	Call Call
	Lost int   // packets that did not leave; 0 if they left by other calls
	Err  error // wraps a syscall.Errno, unless the socket is closed
}

// calls are the system calls that send packets of a run.
type calls interface {
	// segments sends all packets as one piece of memory that the system cuts.
	segments(r *Run) error
	// messages sends packets from one on, and returns how many left. Without an error that is one at least.
	messages(r *Run, from int) (int, error)
	// single sends one packet.
	single(r *Run, i int) error
}

// outlet sends runs in as few calls as the system allows.
type outlet struct {
	calls  calls
	failed func(Failure) // may be nil
	cuts   bool
	many   atomic.Bool
	uncut  refusals
}

// sendTo sends the packets of a run to a peer, by package net where the system calls cannot: c is the socket, which v6
// says is one of IPv6.
func (o *outlet) sendTo(run *Run, to netip.AddrPort, c *net.UDPConn, v6 bool) error {
	if !supported || !run.to.set(to, v6) {
		return o.plain(run, to, c)
	}
	if err := o.send(run); err != nil {
		return failed("write", c, err)
	}
	return nil
}

// plain sends the packets of a run by package net.
func (o *outlet) plain(run *Run, to netip.AddrPort, c *net.UDPConn) (failed error) {
	for packet := range run.Packets() {
		if _, err := c.WriteToUDPAddrPort(packet, to); err != nil {
			o.tell(Failure{Single, 1, err})
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// failed returns the error that package net would return.
func failed(op string, c *net.UDPConn, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Err: err}
}

// send sends the packets of a run. An error says that some of them are lost.
func (o *outlet) send(run *Run) error {
	if run.count == 1 {
		return o.single(run, 0)
	}
	if o.cuts && !o.uncut.has(&run.to) {
		err := o.calls.segments(run)
		if err == nil {
			return nil
		}
		if !uncut(err) {
			o.tell(Failure{Segments, run.count, err})
			return err
		}
		o.uncut.add(&run.to)
		o.tell(Failure{Segments, 0, err})
	}
	return o.each(run)
}

// each sends packets that are not to be cut. Where a call for several fails, the first of them tells whether it is the
// packet that cannot be sent.
func (o *outlet) each(run *Run) (failed error) {
	for i := 0; i < run.count; {
		if o.many.Load() && i < run.count-1 {
			n, err := o.calls.messages(run, i)
			if err == nil {
				i += n
				continue
			}
			if filtered(err) {
				o.many.Store(false)
				o.tell(Failure{Messages, 0, err})
			}
		}
		failed = errors.Join(failed, o.single(run, i))
		i++
	}
	return failed
}

func (o *outlet) single(run *Run, i int) error {
	err := o.calls.single(run, i)
	if err != nil {
		o.tell(Failure{Single, 1, err})
	}
	return err
}

func (o *outlet) tell(f Failure) {
	if o.failed != nil {
		o.failed(f)
	}
}

// uncut reports whether an error says that packets cannot be cut on the way they would take: they are too large for it,
// it encrypts them, or its device computes no checksums, which kernels before 6.11 need for it.
func uncut(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EMSGSIZE) || errors.Is(err, syscall.EIO) ||
		errors.Is(err, syscall.EOPNOTSUPP)
}

// filtered reports whether an error can be the answer of a filter of system calls, as sandboxes have them.
func filtered(err error) bool { return errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EPERM) }

const (
	// Ways change: after this time, it is tried again whether packets can be cut.
	refusalLasts = time.Minute
	maxRefusals  = 1024
)

// refusals remembers peers on whose way packets cannot be cut.
type refusals struct {
	some atomic.Bool

	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

func (r *refusals) has(to *place) bool {
	if !r.some.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := to.addrPort()
	until, ok := r.until[key]
	if ok && !time.Now().Before(until) {
		delete(r.until, key)
		r.some.Store(len(r.until) > 0)
		return false
	}
	return ok
}

func (r *refusals) add(to *place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil || len(r.until) >= maxRefusals {
		r.until = make(map[netip.AddrPort]time.Time)
	}
	r.until[to.addrPort()] = time.Now().Add(refusalLasts)
	r.some.Store(true)
}
