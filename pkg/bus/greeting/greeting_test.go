package greeting_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus/greeting"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines are greetings, and what is wrong with them for each sort of port.
var lines = []struct{ line, unreadable, leaf, client string }{
	{`INFO {"version":"2.15.2","max_payload":1048576}`, "", "", "is not for clients"},
	{`INFO {"version":"2.15.2","max_payload":8388608,"client_ip":"::1"}`, "", "is for clients", ""},
	{`INFO {"version":"2.9.10","max_payload":1048576}`, "", `"2.9.10": it must be 2.12`, "is not for clients"},
	{`INFO {"version":"1.99.10","max_payload":1048576,"client_ip":"::1"}`, "", "is for clients", "2.12 or later"},
	{`INFO {"version":"2.12.0","max_payload":1000}`, "", "up to 1000 bytes", "is not for clients"},
	{`INFO {"version":"devel","max_payload":1048576}`, "", "", "is not for clients"},
	{`INFO {"version":"2.x","max_payload":1048576}`, "", "", "is not for clients"},
	{`INFO {}`, "", "up to 0 bytes", "is not for clients"},
	{"INFO {", "is not a NATS server", "", ""},
	{"HTTP/1.1 400 Bad Request", "is not a NATS server", "", ""},
	{"", "is not a NATS server", "", ""},
}

func TestParse(t *testing.T) {
	for _, tt := range lines {
		g, err := greeting.Parse([]byte(tt.line + " \r\n"))
		if !told(err, tt.unreadable) {
			t.Errorf("%s: %v, want %q", tt.line, err, tt.unreadable)
		}
		if err == nil && !told(g.CheckLeaf(), tt.leaf) {
			t.Errorf("%s: %v for a leaf, want %q", tt.line, g.CheckLeaf(), tt.leaf)
		}
		if err == nil && !told(g.CheckClient(), tt.client) {
			t.Errorf("%s: %v for a client, want %q", tt.line, g.CheckClient(), tt.client)
		}
	}
}

func TestCheckTLS(t *testing.T) {
	for _, tt := range []struct {
		offers  bool
		address string
		want    string
	}{
		{true, "tls://h", ""}, {false, "nats://h", ""}, {true, "nats://h", "wants TLS"},
		{false, "tls://h", "does not offer TLS"},
	} {
		if err := (&greeting.Greeting{TLSRequired: tt.offers}).CheckTLS(tt.address); !told(err, tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func told(err error, want string) bool {
	return err == nil && want == "" || err != nil && want != "" && strings.Contains(err.Error(), want)
}

func FuzzParse(f *testing.F) {
	for _, tt := range lines {
		f.Add(tt.line)
	}
	f.Fuzz(func(_ *testing.T, line string) {
		if g, err := greeting.Parse([]byte(line)); err == nil {
			_, _ = g.CheckLeaf(), g.CheckClient()
		}
	})
}

func TestRead(t *testing.T) {
	h := hubtest.Start(t)
	leaf, err := greeting.Read(t.Context(), h.Server.LeafURL())
	if err != nil || leaf.CheckLeaf() != nil || leaf.CheckClient() == nil {
		t.Errorf("the port for leaf nodes says %+v, %v", leaf, err)
	}
	client, err := greeting.Read(t.Context(), h.Server.URL())
	if err != nil || client.CheckClient() != nil || client.CheckLeaf() == nil {
		t.Errorf("the port for clients says %+v, %v", client, err)
	}
}

// TestReadEnds: neither a silent server nor an endless greeting keeps the reader.
func TestReadEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := greeting.Read(ctx, "nats://"+l.Addr().String()); !errors.Is(err, context.DeadlineExceeded) &&
		!strings.Contains(err.Error(), "timeout") {
		t.Errorf("a silent server: %v", err)
	}
	go func() {
		for { // the silent one comes first, unless the time was over before it connected
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("INFO " + strings.Repeat(" ", 1<<20)))
			_ = c.Close()
		}
	}()
	if _, err := greeting.Read(t.Context(), "nats://"+l.Addr().String()); err == nil ||
		!strings.Contains(err.Error(), "is not a NATS server") {
		t.Errorf("an endless greeting: %v", err)
	}
	l.Close()
	if _, err := greeting.Read(t.Context(), "nats://"+l.Addr().String()); err == nil {
		t.Error("nobody listens, and somebody is read")
	}
}
