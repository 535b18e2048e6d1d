package socket

import "net"

// unsent is how many bytes may wait in the system to be sent, see [Listen]. It takes half a second to send them at 0.5
// Mbit/s.
const unsent = 32 << 10

// Listen is net.Listen for connections of TCP that carry what soon is old, such as pictures. A connection takes no more
// from its writer while 32 KiB wait to be sent, so that a writer on a slow path notices, and can leave out what nobody
// needs any more. Otherwise the system takes megabytes, which then arrive late.
func Listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return listener{l}, nil
}

type listener struct{ net.Listener }

// Accept implements [net.Listener]. The option has to be set for each connection: one that is accepted by a socket of
// Multipath TCP, as Go makes them, does not inherit it.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		boundUnsent(tcp)
	}
	return c, err
}
