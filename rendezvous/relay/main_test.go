package relay

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/rendezvous/mux"
	"github.com/waldo-robot/waldo/rendezvous/threads"
)

// childSecret names the environment variable that makes the tests' program a relay, for the benchmarks.
const childSecret = "WALDO_RELAY_CHILD_SECRET"

func TestMain(m *testing.M) {
	if secret := os.Getenv(childSecret); secret != "" {
		if err := child([]byte(secret)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child is a relay on loopback, as waldo rendezvous runs it, that ends with its standard input. It prints its ports for
// UDP and for TCP.
func child(secret []byte) error {
	here := netip.MustParseAddr("127.0.0.1")
	r, err := New(Config{Public: []netip.Addr{here}, UDP: []string{"127.0.0.1:0"}, Secret: secret,
		Permit: []netip.Prefix{netip.PrefixFrom(here, 8)}})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	m, err := mux.New(l, mux.Config{TLS: selfSigned()})
	if err != nil {
		return err
	}
	if err := r.Serve(m.TURN()); err != nil {
		return err
	}
	defer threads.Adapt()()
	fmt.Println(r.UDP()[0], l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = m.Close()
	return r.Close()
}
