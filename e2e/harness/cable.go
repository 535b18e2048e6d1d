package harness

import (
	"fmt"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Cable connects two network namespaces by a pair of virtual cards. Loopback leads over it: programs at the near end
// listen at 127.0.0.1, as they do without it, and are found there from the far end, whose own address is [CableFar].
//
// As between two machines, nobody who sends does the work of who receives: a thread of the kernel does that at the far
// end. What is sent in one piece (UDP_SEGMENT, TCP) crosses the cable so, as it reaches a card that cuts it.
type Cable struct{ near, far string }

// CableFar is the address of the far end of a [Cable].
const CableFar = "127.0.0.2"

// cableCard is the name of the card at each end.
const cableCard = "eth0"

// StartCable makes the cable. Without root it skips the test, loudly.
func StartCable(tb testing.TB) *Cable {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("NOT RUN: network namespaces need root. Nothing is measured between two of them")
	}
	id := fmt.Sprint(os.Getpid())
	c := &Cable{near: "waldo-near-" + id, far: "waldo-far-" + id}
	for _, name := range []string{c.near, c.far} {
		ip(tb, "netns", "add", name)
		tb.Cleanup(func() { ip(tb, "netns", "del", name) })
	}
	ip(tb, "-n", c.near, "link", "add", cableCard, "type", "veth", "peer", "name", cableCard, "netns", c.far)
	c.connect(tb, c.near, "127.0.0.1")
	c.connect(tb, c.far, CableFar)
	c.receiveByThread(tb)
	return c
}

// connect moves loopback's addresses of an end to its card.
func (c *Cable) connect(tb testing.TB, namespace, address string) {
	tb.Helper()
	ip(tb, "-n", namespace, "link", "set", "lo", "up")
	ip(tb, "-n", namespace, "address", "del", "127.0.0.1/8", "dev", "lo")
	for _, card := range []string{"all", cableCard} {
		local := openIn(tb, namespace, "/proc/sys/net/ipv4/conf/"+card+"/route_localnet")
		if _, err := local.WriteString("1"); err != nil {
			tb.Fatal(err)
		}
	}
	ip(tb, "-n", namespace, "address", "add", address+"/8", "dev", cableCard)
	ip(tb, "-n", namespace, "link", "set", cableCard, "up")
}

// receiveByThread has a thread of the kernel receive at the far end. The card takes packets from a queue, as one of
// hardware does, when it may join them (GRO).
func (c *Cable) receiveByThread(tb testing.TB) {
	tb.Helper()
	if err := within(c.far, joinArrivals); err != nil {
		tb.Fatalf("%s: %v", cableCard, err)
	}
	// Of /sys each namespace sees its own cards only where it is mounted within: `ip netns exec` does that.
	Run(tb, nil, "ip", "netns", "exec", c.far, "sh", "-c", "echo 1 > /sys/class/net/"+cableCard+"/threaded")
}

// joinArrivals turns GRO of the card on, see ethtool(8).
func joinArrivals() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	value := struct{ command, data uint32 }{unix.ETHTOOL_SGRO, 1}
	request := struct {
		name  [unix.IFNAMSIZ]byte
		value unsafe.Pointer
		_     [16]byte // of struct ifreq
	}{value: unsafe.Pointer(&value)}
	copy(request.name[:], cableCard)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return errno
	}
	return nil
}

// Near is how a program is run at the near end.
func (c *Cable) Near(program string, args ...string) (string, []string) {
	return "ip", append([]string{"netns", "exec", c.near, program}, args...)
}

// Far is the name of the namespace at the far end.
func (c *Cable) Far() string { return c.far }
