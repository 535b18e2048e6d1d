package tunnel

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
)

// path is a network between a robot and a server that can begin to lose everything.
type path struct {
	net.Listener
	lost  chan struct{} // closed when everything is lost, also that an end has closed its connection
	over  chan struct{}
	conns sync.WaitGroup
}

// newPath returns a path to an address.
func newPath(t *testing.T, to string) *path {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &path{Listener: l, lost: make(chan struct{}), over: make(chan struct{})}
	p.conns.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close() // the test fails
				return
			}
			p.conns.Go(func() { p.copy(near, far) })
			p.conns.Go(func() { p.copy(far, near) })
		}
	})
	t.Cleanup(p.conns.Wait)
	t.Cleanup(func() {
		_ = l.Close()
		close(p.over)
	})
	return p
}

func (p *path) copy(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		select {
		case <-p.lost:
			<-p.over
			return
		default:
		}
		if err != nil {
			return
		}
		_, _ = to.Write(buffer[:n]) // an error ends the other direction
	}
}

// TestSilence: both ends notice that nothing comes any more.
func TestSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	network := newPath(t, strings.TrimPrefix(r.URL, "http://"))
	robot, err := Dial(t.Context(), Config{URL: "http://" + network.Addr().String(), Robot: "rover", Key: newKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer robot.Close()
	server := get(t, r.joined)
	stream, err := server.Open()
	if err != nil {
		t.Fatal(err)
	}
	close(network.lost)
	for name, s := range map[string]*Session{"robot": robot, "server": server} {
		get(t, s.Done())
		if !errors.Is(s.Err(), ErrSilent) {
			t.Errorf("the %s's session has ended with %v", name, s.Err())
		}
	}
	if _, err := stream.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlives its session")
	}
}
