package harness

import (
	"net"
	"strings"
	"testing"
)

func TestCable(t *testing.T) {
	c := StartCable(t)
	var l net.Listener
	err := within(c.near, func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	err = within(c.far, func() error {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			defer func() { _ = conn.Close() }()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if from, _, _ := net.SplitHostPort(conn.RemoteAddr().String()); from != CableFar {
		t.Errorf("a connection from %s, want one from %s", from, CableFar)
	}
	threads := Run(t, nil, "ip", "netns", "exec", c.Far(), "cat", "/sys/class/net/"+cableCard+"/threaded")
	if strings.TrimSpace(threads) != "1" {
		t.Errorf("threads receive: %q", threads)
	}
}
