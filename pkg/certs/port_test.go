package certs_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
)

// serve serves HTTP on a port with and without TLS; the answer says which it was.
func serve(t *testing.T, settings *tls.Config) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	says := func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.TLS != nil) }
	s := &http.Server{ReadHeaderTimeout: time.Minute, ConnContext: certs.InContext,
		Handler: certs.WithTLS(http.HandlerFunc(says))}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(certs.Port(l, settings)) })
	t.Cleanup(func() {
		_ = s.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// get returns the body of an answer.
func get(t *testing.T, url, ca string) (string, error) {
	t.Helper()
	trust, err := certs.Client(ca)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: trust}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestPort(t *testing.T) {
	a := certstest.NewAuthority(t)
	cert, key := a.Issue([]string{"127.0.0.1"})
	source, err := certs.Load(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, source.Server("http/1.1"))
	for url, want := range map[string]string{"https://" + address: "true", "http://" + address: "false"} {
		if got, err := get(t, url, a.File()); got != want || err != nil {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
	if _, err := get(t, "https://"+address, certstest.NewAuthority(t).File()); err == nil {
		t.Error("a client that trusts another authority is satisfied")
	}
}

// TestNetConn: what is below can be closed at once.
func TestNetConn(t *testing.T) {
	below, other := net.Pipe()
	defer func() { _, _ = below.Close(), other.Close() }()
	c, err := certs.Port(one{conn: below}, nil).Accept()
	if above, ok := c.(interface{ NetConn() net.Conn }); err != nil || !ok || above.NetConn() != below {
		t.Errorf("below %v is not what was accepted, %v", c, err)
	}
}

func TestLocal(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1:1": true, "127.3.4.5:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		"192.0.2.1:1": false, "[fe80::1%eth0]:1": false, "0.0.0.0:1": false, "pipe": false,
	} {
		if got := certs.Local(named(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestLocalByOwnAddress: what comes from another address of this machine is local, too.
func TestLocalByOwnAddress(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		address := net.JoinHostPort(a.(*net.IPNet).IP.String(), "1")
		if !certs.Local(named(address)) {
			t.Errorf("%s is not local", address)
		}
	}
}

type named string

func (named) Network() string  { return "tcp" }
func (n named) String() string { return string(n) }

// one is a listener that hands out a single connection.
type one struct {
	net.Listener
	conn net.Conn
}

func (o one) Accept() (net.Conn, error) { return o.conn, nil }

// FuzzPort: whatever a client says first, the server reads it from the first byte, or an error.
func FuzzPort(f *testing.F) {
	a := certstest.NewAuthority(f)
	cert, key := a.Issue([]string{"rover.example"})
	source, err := certs.Load(cert, key, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, says := range []string{"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n", "\x16\x03\x01\x00\x05hello", "\x16",
		"\x00", ""} {
		f.Add([]byte(says))
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		client, server := net.Pipe()
		var talking sync.WaitGroup
		defer talking.Wait()
		talking.Go(func() {
			_, _ = client.Write(says)
			_ = client.Close()
		})
		defer func() { _ = server.Close() }()
		c, err := certs.Port(one{conn: server}, source.Server()).Accept()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		plain := len(says) > 0 && says[0] != 0x16
		if plain && (err != nil || string(got) != string(says)) || !plain && len(got) > 0 {
			t.Errorf("read %q, %v of %q", got, err, says)
		}
	})
}
