package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipe returns the ends of a connection, and how to close both.
func pipe(network string) (a, b net.Conn, stop func(), err error) {
	l, err := nettest.NewLocalListener(network)
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = l.Close() }()
	if a, err = net.Dial(network, l.Addr().String()); err != nil {
		return nil, nil, nil, err
	}
	if b, err = l.Accept(); err != nil {
		return nil, nil, nil, errors.Join(err, a.Close())
	}
	return Stream(a), Stream(b), func() { _, _ = a.Close(), b.Close() }, nil
}

// TestStreamIsAConnection runs what every connection must do: deadlines, concurrent calls, and Close while they run.
func TestStreamIsAConnection(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) { return pipe(network) })
		})
	}
}

func TestStreamEndsAsThoseOfPackageNet(t *testing.T) {
	a, b, stop, err := pipe("tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, ok := a.(*stream); !ok {
		t.Fatalf("the connection is used as it is: %T", a)
	}
	if err := a.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	if _, err := b.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(a); err != nil || string(got) != "last" {
		t.Errorf("read %q, %v; want everything before the end", got, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A peer that is gone is an error of writing, and no signal that ends the program.
func TestStreamWithoutPeer(t *testing.T) {
	a, b, stop, err := pipe("unix")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("hello")); err == nil {
		t.Error("written to nobody")
	}
}

func TestStreamLeavesOthersAlone(t *testing.T) {
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if got := Stream(a); got != a {
		t.Errorf("a connection without a socket became %T", got)
	}
}
