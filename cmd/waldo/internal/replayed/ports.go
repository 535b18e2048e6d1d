package replayed

import (
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	// firstPort and lastPort are ports that IANA assigns to nobody (49152 and up, RFC 6335) and that Linux gives to no
	// connection by itself (net.ipv4.ip_local_port_range, 32768 to 60999): while a process restarts nobody gets its port.
	firstPort, lastPort = 61000, 65535
	portCount           = lastPort - firstPort + 1
)

// freeAddresses returns n different addresses of this machine only that nobody listens on. When there are no more of
// those ports the rest are what the system gives.
func freeAddresses(n int) ([]string, error) {
	var all []string
	begin := rand.IntN(portCount) // replays that start at once hardly try the same
	for tried := 0; len(all) < n; tried++ {
		address := free
		if tried < portCount {
			address = net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+(begin+tried)%portCount))
		}
		l, err := net.Listen("tcp", address)
		if err != nil && address != free {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all are kept until the end, so that none is given twice
		all = append(all, l.Addr().String())
	}
	return all, nil
}
