package rtsp

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

const (
	portTries     = 16
	socketBuffer  = 1 << 20
	longestPacket = 64 << 10
)

// udp is the pair of sockets of a track. It takes packets only from the camera.
type udp struct {
	sockets [2]*net.UDPConn // RTP, RTCP
	port    int             // of the first, even
	from    []netip.Addr
	peers   [2]atomic.Pointer[netip.AddrPort] // where the camera sends from
}

// listenUDP opens a pair of neighbouring ports on the address that the camera knows.
func listenUDP(local, camera *net.TCPAddr) (*udp, error) {
	var errs []error
	for range portTries {
		u, err := listenPair(local)
		if err == nil {
			u.from = append(u.from, camera.AddrPort().Addr().Unmap())
			return u, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func listenPair(local *net.TCPAddr) (*udp, error) {
	first, err := net.ListenUDP("udp", &net.UDPAddr{IP: local.IP, Zone: local.Zone})
	if err != nil {
		return nil, err
	}
	port := first.LocalAddr().(*net.UDPAddr).Port
	other := port ^ 1
	second, err := net.ListenUDP("udp", &net.UDPAddr{IP: local.IP, Zone: local.Zone, Port: other})
	if err != nil {
		_ = first.Close() // it never received anything
		return nil, err
	}
	u := &udp{sockets: [2]*net.UDPConn{first, second}, port: min(port, other)}
	if other < port {
		u.sockets = [2]*net.UDPConn{second, first}
	}
	for _, s := range u.sockets {
		_ = s.SetReadBuffer(socketBuffer) // a smaller one works too
	}
	return u, nil
}

// opening are the smallest packets of RTP and RTCP.
var opening = [2][]byte{{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {0x80, 201, 0, 1, 0, 0, 0, 0}}

// peer takes what the camera announced, and opens firewalls on the way to it.
func (u *udp) peer(a transport) {
	if source, err := netip.ParseAddr(a.source); err == nil && !source.IsUnspecified() && !source.IsMulticast() {
		u.from = append(u.from, source.Unmap())
	}
	for i, port := range a.ports {
		to := netip.AddrPortFrom(u.from[len(u.from)-1], uint16(port))
		u.peers[i].Store(&to)
		_, _ = u.sockets[i].WriteToUDPAddrPort(opening[i], to) // a lost one does no harm
	}
}

// send sends RTP from the first socket, or RTCP from the second.
func (u *udp) send(socket int, data []byte) error {
	to := u.peers[socket].Load()
	if to == nil {
		return nil // the camera does not say where it listens
	}
	_, err := u.sockets[socket].WriteToUDPAddrPort(data, *to)
	return err
}

func (u *udp) close() {
	for _, s := range u.sockets {
		_ = s.Close() // the same
	}
}

// readUDP reads a socket until it is closed.
func (c *Conn) readUDP(t *track, socket *net.UDPConn) {
	u := t.udp
	buffer := make([]byte, longestPacket)
	for {
		n, from, err := socket.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n < 8 || !slices.Contains(u.from, from.Addr().Unmap()) {
			continue
		}
		data, arrival := slices.Clone(buffer[:n]), time.Now()
		c.mu.Lock()
		c.deliver(packet{t, data, arrival})
		c.mu.Unlock()
	}
}
