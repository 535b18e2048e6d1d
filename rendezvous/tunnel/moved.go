package tunnel

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// lookEvery is how often a robot looks whether it still has the address of its tunnel.
const lookEvery = 500 * time.Millisecond

// errMoved ends a session whose robot has lost the address that it was dialled from: TCP itself would take long to
// notice.
var errMoved = errors.New("this machine has lost the network address of its connection")

// watch ends the session when the machine loses the address of its near end.
func (s *Session) watch(near net.Addr) {
	tcp, ok := near.(*net.TCPAddr)
	if !ok {
		return
	}
	address := tcp.AddrPort().Addr().Unmap().WithZone("")
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-look.C:
		}
		if !has(address) {
			s.cancel(errMoved)
			_ = s.wire.Close() // which ends everything else
			return
		}
	}
}

// has reports whether the machine has an address. While it cannot be told, it has.
func has(address netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		of, ok := a.(*net.IPNet)
		if !ok {
			return false
		}
		ip, ok := netip.AddrFromSlice(of.IP)
		return ok && ip.Unmap() == address
	})
}
