package vital_test

import (
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/device/vital"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// locals are addresses that servers are told to listen on, and where this machine reaches them.
var locals = map[string]string{
	"127.0.0.1:7101": "127.0.0.1:7101", ":7101": "127.0.0.1:7101", "0.0.0.0:7101": "127.0.0.1:7101",
	"[::]:7101": "127.0.0.1:7101", "[::1]:7101": "[::1]:7101", "robot.local:7101": "robot.local:7101",
	"127.0.0.1:0": "", "127.0.0.1:00": "", "127.0.0.1:": "", "10.0.0.1:7101": "10.0.0.1:7101", "nonsense": "", "": "",
}

func TestLocal(t *testing.T) {
	for listen, want := range locals {
		if got := vital.Local(listen); got != want {
			t.Errorf("%q: %q, want %q", listen, got, want)
		}
	}
}

// FuzzLocal: what comes of an address is none, or one with a host and a port.
func FuzzLocal(f *testing.F) {
	for listen := range locals {
		f.Add(listen)
	}
	f.Fuzz(func(t *testing.T, listen string) {
		at := vital.Local(listen)
		if at == "" {
			return
		}
		host, port, err := net.SplitHostPort(at)
		if err != nil || host == "" || strings.Trim(port, "0") == "" {
			t.Errorf("%q became %q: %v", listen, at, err)
		}
	})
}

// TestNobody: a device that is not there could not be asked, which is not silence.
func TestNobody(t *testing.T) {
	p, err := vital.Dial("127.0.0.1:1", "token")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := p.Ask(t.Context()); got != vital.Unasked {
		t.Errorf("got %d", got)
	}
}
