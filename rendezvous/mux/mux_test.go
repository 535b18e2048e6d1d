package mux

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var (
	binding = "\x00\x01\x00\x00\x21\x12\xa4\x42identifier12"
	get     = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
)

// opening is what a connection begins with, and what becomes of it.
type opening struct {
	name    string
	tls     bool
	alpn    []string
	say     string
	outcome string
}

var openings = []opening{
	{name: "HTTP", say: get, outcome: "http"},
	{name: "HTTP/2 that is known to be spoken", say: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", outcome: "http"},
	{name: "TURN", say: binding, outcome: "turn"},
	{name: "channel data before anything else", say: "\x40\x00\x00\x04data", outcome: "unknown"},
	{name: "SSH", say: "ssh", outcome: "unknown"},
	{name: "RTP", say: "\x80\x60", outcome: "unknown"},
	{name: "nothing", say: "", outcome: "gone"},
	{name: "a broken handshake", say: "\x16\x03\x01\x00\x04\x63\x00\x00\x00", outcome: "tls_failed"},
	{name: "HTTP in TLS", tls: true, alpn: []string{"http/1.1"}, say: get, outcome: "http"},
	{name: "HTTP/2 in TLS", tls: true, alpn: []string{"h2", "http/1.1"}, say: "", outcome: "http"},
	{name: "HTTP in TLS, not agreed on", tls: true, say: get, outcome: "http"},
	{name: "TURN in TLS", tls: true, say: binding, outcome: "turn"},
	{name: "TURN in TLS, agreed on", tls: true, alpn: []string{"stun.turn"}, say: binding, outcome: "turn"},
	{name: "TLS in TLS", tls: true, say: "\x16\x03\x01", outcome: "unknown"},
	{name: "a challenge of ACME", tls: true, alpn: []string{"acme-tls/1"}, say: "", outcome: "other_protocol"},
}

func certificate(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"h2", "http/1.1", "stun.turn", "acme-tls/1"},
	}
}

func start(t *testing.T, c Config) *Mux {
	t.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(port, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func dial(t *testing.T, m *Mux) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", m.port.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// outcome waits until a connection was counted, and returns as what.
func outcome(t *testing.T, m *Mux) string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		found := make(chan prometheus.Metric, 20)
		m.metrics.connections.Collect(found)
		if len(found) > 0 {
			return labelOf(t, <-found)
		}
	}
	t.Fatal("no connection was counted")
	return ""
}

func labelOf(t *testing.T, metric prometheus.Metric) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	_ = registry.Register(single{metric})
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	return families[0].GetMetric()[0].GetLabel()[0].GetValue()
}

type single struct{ prometheus.Metric }

func (s single) Describe(ch chan<- *prometheus.Desc) { ch <- s.Desc() }
func (s single) Collect(ch chan<- prometheus.Metric) { ch <- s.Metric }

// drain accepts everything, and answers with who it was: what a server would do is not what this is about.
func drain(t *testing.T, l net.Listener, name string, secure bool) {
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if Secure(c) != secure {
				t.Errorf("%s: secure is %v", name, Secure(c))
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4)
				n, _ := io.ReadFull(c, b)
				_, _ = c.Write([]byte(name + " " + string(b[:n])))
			}()
		}
	}()
}

func TestOpenings(t *testing.T) {
	config := certificate(t)
	for _, o := range openings {
		t.Run(o.name, func(t *testing.T) {
			m := start(t, Config{TLS: config})
			drain(t, m.HTTP(), "http", o.tls)
			drain(t, m.TURN(), "turn", o.tls)
			raw := dial(t, m)
			c := raw
			if o.tls {
				c = tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: o.alpn})
			}
			if _, err := c.Write([]byte(o.say)); err != nil {
				t.Fatal(err)
			}
			if o.say == "" && !o.tls {
				c.Close()
			} else if o.tls {
				if err := c.(*tls.Conn).Handshake(); err != nil {
					t.Fatal(err)
				}
			}
			if got := outcome(t, m); got != o.outcome {
				t.Fatalf("the connection was counted as %s, want %s", got, o.outcome)
			}
			if o.outcome != "http" && o.outcome != "turn" || o.say == "" {
				return
			}
			want := o.outcome + " " + o.say[:4]
			if got, err := io.ReadAll(io.LimitReader(c, int64(len(want)))); err != nil || string(got) != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestWithoutCertificateTLSIsRefused(t *testing.T) {
	m := start(t, Config{})
	c := tls.Client(dial(t, m), &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err == nil {
		t.Error("a handshake without a certificate")
	}
	if got := outcome(t, m); got != "tls_refused" {
		t.Errorf("counted as %s", got)
	}
}

// A server of net/http works on it as on a port of its own, HTTP/2 included.
func TestServerOfHTTP(t *testing.T) {
	m := start(t, Config{TLS: certificate(t)})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, strings.Join([]string{r.Proto, r.URL.Path}, " "))
		})}
	done := make(chan error)
	go func() { done <- server.Serve(m.HTTP()) }()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for scheme, want := range map[string]string{"http": "HTTP/1.1 /page", "https": "HTTP/2.0 /page"} {
		response, err := client.Get(scheme + "://" + m.port.Addr().String() + "/page")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", scheme, got, err, want)
		}
	}
	client.CloseIdleConnections()
	m.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the server ended with %v", err)
	}
	server.Close()
}

func TestSilentConnectionsDoNotKeepOthersOut(t *testing.T) {
	m := start(t, Config{Limits: Limits{Total: 20, PerAddress: 5}})
	drain(t, m.TURN(), "turn", false)
	var silent []net.Conn
	for range 5 {
		silent = append(silent, dial(t, m))
	}
	waitFor(t, func() bool { return m.waiting.count() == 5 })
	c := dial(t, m)
	if _, err := c.Write([]byte(binding)); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(c).ReadString(' '); err != nil || answer != "turn " {
		t.Errorf("got %q, %v", answer, err)
	}
	if n, err := silent[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the oldest silent connection read %d bytes, %v", n, err)
	}
	if got := testutil.ToFloat64(m.metrics.connections.WithLabelValues("crowded_out")); got != 1 {
		t.Errorf("%v connections were crowded out", got)
	}
}

func TestPatienceEnds(t *testing.T) {
	m := start(t, Config{Patience: time.Millisecond})
	if _, err := dial(t, m).Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if got := outcome(t, m); got != "silent" {
		t.Errorf("counted as %s", got)
	}
}

func TestCloseEndsWhatIsUndecided(t *testing.T) {
	m := start(t, Config{})
	c := dial(t, m)
	waitFor(t, func() bool { return m.waiting.count() == 1 })
	spoken := dial(t, m) // decided, but nobody accepts it
	if _, err := spoken.Write([]byte(binding)); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range []net.Conn{c, spoken} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open")
		}
	}
	if _, err := m.HTTP().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestPrefixOfAnAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64",
	} {
		if got := addressOf(from{address: &net.TCPAddr{IP: net.ParseIP(address)}}); got.String() != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("this does not happen")
		}
	}
}
