package socket_test

import (
	"errors"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/socket"
)

// TestListenBoundsWhatWaits: a peer that does not read takes what its own system has room for, and little more.
func TestListenBoundsWhatWaits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can bound it")
	}
	const room = 64 << 10 // which the system doubles
	taken := func(listen func(network, address string) (net.Listener, error)) (n int) {
		l, err := listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		dialled, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = dialled.Close() }()
		if err := dialled.(*net.TCPConn).SetReadBuffer(room); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		for {
			// Nobody reads, so there is an end, whenever that is found.
			if err := c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			some, err := c.Write(make([]byte, 1<<20))
			n += some
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	bounded, usual := taken(socket.Listen), taken(net.Listen)
	if bounded >= usual || bounded > 4*room {
		t.Errorf("%d bytes were taken, without the bound %d", bounded, usual)
	}
	t.Logf("%d bytes were taken, without the bound %d", bounded, usual)
}
