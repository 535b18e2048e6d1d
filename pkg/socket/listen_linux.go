package socket

import (
	"net"

	"golang.org/x/sys/unix"
)

// boundUnsent bounds what the system takes of a connection. Systems that cannot, which are old, keep their own bound.
func boundUnsent(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent) })
}
