package watcher

import (
	"errors"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
)

// proxy stands between a watcher and the TCP port of a gateway, and can stop reading what the gateway sends.
type proxy struct {
	stalled atomic.Bool
	gate    chan struct{} // closed by close
	copying sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

var tcpCandidate = regexp.MustCompile(`(tcp \d+) (127\.0\.0\.1) (\d+)( typ host tcptype passive)`)

// between starts the proxy and puts its address into an answer.
func (p *proxy) between(sdp string) (string, error) {
	found := tcpCandidate.FindStringSubmatch(sdp)
	if found == nil {
		return "", errors.New("the answer has no TCP candidate")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.listener = l
	p.copying.Go(func() { p.accept(net.JoinHostPort(found[2], found[3])) })
	_, port, err := net.SplitHostPort(l.Addr().String())
	return strings.ReplaceAll(sdp, found[0], found[1]+" "+found[2]+" "+port+found[4]), err
}

func (p *proxy) accept(gateway string) {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", gateway)
		if err != nil {
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, near, far)
		p.mu.Unlock()
		p.copying.Go(func() { p.copy(far, near, false) })
		p.copying.Go(func() { p.copy(near, far, true) })
	}
}

func (p *proxy) copy(to, from net.Conn, stalls bool) {
	buffer := make([]byte, 32<<10)
	for {
		if stalls && p.stalled.Load() {
			<-p.gate
		}
		n, err := from.Read(buffer)
		if err != nil {
			_ = to.Close()
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			_ = from.Close()
			return
		}
	}
}

func (p *proxy) close() {
	close(p.gate)
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
	}
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.copying.Wait()
}
