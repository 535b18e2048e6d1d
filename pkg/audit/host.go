package audit

import "net"

// host returns the host of an address, which may have a port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
