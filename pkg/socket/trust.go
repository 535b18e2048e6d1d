package socket

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// damaging are kernels that damage packets when they cut a piece of memory whose last packet is as long as the others.
var damaging = []struct {
	first, last version
	virtio      bool // only in a virtual machine with such a network card
	source      string
}{
	// The faults came with 7.0-rc1, and distributions have fixes of their own that cannot be told from the number.
	{version{7, 0, 0}, version{7, 1, 4}, false, "https://github.com/tailscale/tailscale/issues/19777"},
	{version{6, 17, 0}, version{6, 17, 1 << 30}, true, "https://github.com/tailscale/tailscale/issues/21335"},
}

// version is that of a kernel.
type version [3]int

func (v version) before(w version) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

// trust returns why a kernel must not cut packets, nil if nothing is known against it.
func trust(release string, virtio bool) error {
	var v version
	if n, _ := fmt.Sscanf(release, "%d.%d.%d", &v[0], &v[1], &v[2]); n < 2 {
		return fmt.Errorf("kernel %q has no version", release)
	}
	for _, k := range damaging {
		if !v.before(k.first) && !k.last.before(v) && (virtio || !k.virtio) {
			return fmt.Errorf("kernel %s damages packets that it cuts (%s)", release, k.source)
		}
	}
	return nil
}

// tested is the result of the test of this process.
var tested = sync.OnceValue(test)

// testTimeout is for packets that never leave the machine.
const testTimeout = 2 * time.Second

// test has the system cut packets that do not leave the machine, and returns what is wrong with what arrives.
func test() error {
	loopback := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	from, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	descriptor, err := describe(from)
	if err != nil {
		return err
	}
	return tryCutting(&direct{descriptor: descriptor}, to)
}

// tryCutting sends batches whose last packet is as long as the others, and shorter.
func tryCutting(c calls, to *net.UDPConn) error {
	if err := to.SetReadDeadline(time.Now().Add(testTimeout)); err != nil {
		return err
	}
	for _, last := range []int{1200, 400} {
		sent := [][]byte{}
		var run Run
		for i, size := range []int{1200, 1200, 1200, last} {
			sent = append(sent, bytes.Repeat([]byte{byte(i + 1)}, size))
			run.Add(sent[i])
		}
		run.to.set(to.LocalAddr().(*net.UDPAddr).AddrPort(), false)
		if err := c.segments(&run); err != nil {
			return fmt.Errorf("test: %w", err)
		}
		for i, want := range sent {
			got := make([]byte, 2*len(sent[0]))
			n, err := to.Read(got)
			if err != nil {
				return fmt.Errorf("test: packet %d of %d: %w", i+1, len(sent), err)
			}
			if !bytes.Equal(got[:n], want) {
				return fmt.Errorf("test: packet %d of %d arrived damaged", i+1, len(sent))
			}
		}
	}
	return nil
}

// cutting returns why the system must not cut what a socket sends; nil if it may.
func cutting(b Batching, d *descriptor) error {
	switch {
	case b == Off:
		return errors.New("it is off")
	case !supported || !d.cuts:
		return errors.New("the system cannot")
	case b == On:
		return nil
	}
	if err := trust(kernel()); err != nil {
		return err
	}
	return tested()
}
