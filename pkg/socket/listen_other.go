//go:build !linux

package socket

import "net"

// boundUnsent leaves the system's own bound.
func boundUnsent(*net.TCPConn) {}
