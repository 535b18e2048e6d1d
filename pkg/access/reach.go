package access

import (
	"net"
	"net/netip"
)

// Reachable returns where other machines reach what listens at an address, host:port: the address itself or, if it
// stands for all addresses of this machine, the one that this machine has in its network. A machine without a network
// has only its loopback.
func Reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return address
	}
	return net.JoinHostPort(ownAddress().String(), port)
}

// ownAddress prefers the address that packets to elsewhere come from: that of a bridge for containers or of a VPN
// seldom is.
func ownAddress() netip.Addr {
	for _, elsewhere := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} {
		conn, err := net.Dial("udp", elsewhere) // sends nothing
		if err != nil {
			continue // no route
		}
		from := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
		_ = conn.Close() // nothing was sent
		if ip := from.Unmap(); !ip.IsLoopback() {
			return ip
		}
	}
	addresses, _ := net.InterfaceAddrs() // none, if the system does not tell
	return firstOf(addresses)
}

// firstOf returns the first address that others may know, of IPv4 if there is one.
func firstOf(addresses []net.Addr) netip.Addr {
	found := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		switch ip := prefix.Addr().Unmap(); {
		case !ip.IsGlobalUnicast():
		case ip.Is4():
			return ip
		case found.IsLoopback():
			found = ip
		}
	}
	return found
}
