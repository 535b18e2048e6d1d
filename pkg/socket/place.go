package socket

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// place is an address and port as the system has them: sockaddr_in of ip(7), or sockaddr_in6 of ipv6(7).
type place struct {
	raw    [syscall.SizeofSockaddrInet6]byte
	length uint32
}

// set stores where a packet goes, for a socket of IPv6 or IPv4. It reports false if the socket has no such addresses.
// An address with a zone is none of them.
func (p *place) set(to netip.AddrPort, v6 bool) bool {
	binary.BigEndian.PutUint16(p.raw[2:], to.Port())
	ip := to.Addr()
	switch {
	case !ip.IsValid() || ip.Zone() != "":
		return false
	case v6:
		binary.NativeEndian.PutUint16(p.raw[:], syscall.AF_INET6)
		a := ip.As16()
		copy(p.raw[8:], a[:])
		p.length = syscall.SizeofSockaddrInet6
	case ip.Is4() || ip.Is4In6():
		binary.NativeEndian.PutUint16(p.raw[:], syscall.AF_INET)
		a := ip.Unmap().As4()
		copy(p.raw[4:], a[:])
		p.length = syscall.SizeofSockaddrInet4
	default:
		return false
	}
	return true
}

// addrPort returns where a packet came from.
func (p *place) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(p.raw[2:])
	switch binary.NativeEndian.Uint16(p.raw[:]) {
	case syscall.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(p.raw[4:])), port)
	case syscall.AF_INET6:
		ip := netip.AddrFrom16([16]byte(p.raw[8:]))
		if scope := binary.NativeEndian.Uint32(p.raw[24:]); scope != 0 {
			ip = ip.WithZone(zone(int(scope)))
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}

// zone is the name of a network interface, or its number.
func zone(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}
