package served

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/greeting"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		file, http string
		want       []string
	}{
		{
			"robot: rover\ndevices:\n  front: {kind: camera, source: test}\n", "",
			[]string{"page https://127.0.0.1:8080/", "bus tls://127.0.0.1:4222", "front 127.0.0.1:7101"},
		},
		{
			"robot: rover\ndevices:\n  front: {kind: camera, source: test, grpc: \"192.0.2.7:9000\"}\n" +
				"  rear: {kind: camera, source: test, grpc: \"127.0.0.1:0\"}\n" +
				"gateway: {http: \"192.0.2.7:8443\"}\nnats: {listen: \"192.0.2.7:4333\"}\n", "",
			[]string{"page https://192.0.2.7:8443/ shared", "bus tls://192.0.2.7:4333 shared", "front 192.0.2.7:9000 shared",
				"rear "},
		},
		{
			"robot: rover\ndevices:\n  front: {kind: camera, source: test}\nnats: {url: \"tls://u:p@bus.example:4222\"}\n",
			"rover.example:443",
			[]string{"page https://rover.example:443/ shared", "bus tls://bus.example:4222 shared foreign",
				"front 127.0.0.1:7101"},
		},
	} {
		r, err := robot.Parse("robot.yaml", []byte(tt.file))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range Places(r, tt.http) {
			line := p.Name + " " + p.URL()
			if p.Shared && p.Address != "" {
				line += " shared"
			}
			if p.Foreign {
				line += " foreign"
			}
			got = append(got, line)
		}
		if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
			t.Errorf("%s\nhas %q", tt.file, got)
		}
	}
}

func TestPlacesOfAll(t *testing.T) {
	r, err := robot.Parse("robot.yaml", []byte("robot: rover\ndevices:\n  front: {kind: camera, source: test}\n"+
		"gateway: {http: \":8443\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(Places(r, "")[0].Address)
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() || port != "8443" {
		t.Errorf("what is served at all addresses is dialled at %s: %v", net.JoinHostPort(host, port), err)
	}
}

func TestNote(t *testing.T) {
	folder := t.TempDir()
	for _, want := range []string{"", "192.0.2.7:8443", "[::1]:80", ""} {
		if err := Note(folder, "rover", want); err != nil {
			t.Fatal(err)
		}
		if got := Noted(folder, "rover"); got != want {
			t.Errorf("noted is %q, want %q", got, want)
		}
		if other := Noted(folder, "other"); other != "" {
			t.Errorf("of another robot %q is noted", other)
		}
	}
	for _, garbage := range []string{"no port", strings.Repeat("x", maxNote) + ":1"} {
		if err := os.WriteFile(filepath.Join(folder, "page.rover"), []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Noted(folder, "rover"); got != "" {
			t.Errorf("garbage is taken for %q", got)
		}
	}
}

// serveAll runs a page and a bus with a certificate for a name, and returns their addresses.
func serveAll(t *testing.T, a *certstest.Authority, name string) (page, bus string) {
	t.Helper()
	cert, key := a.Issue([]string{name})
	source, err := certs.Load(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Listener = certs.Port(s.Listener, source.Server("http/1.1"))
	s.Start()
	t.Cleanup(s.Close)
	b, err := embedded.Start(embedded.Config{Listen: "127.0.0.1:0", TLS: source.Server()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return s.Listener.Addr().String(), strings.TrimPrefix(b.URL(), "nats://")
}

func TestTry(t *testing.T) {
	own, other := certstest.NewAuthority(t), certstest.NewAuthority(t)
	page, bus := serveAll(t, own, "127.0.0.1")
	elsewhere, _ := serveAll(t, own, "rover.example")
	foreign, foreignBus := serveAll(t, other, "127.0.0.1")
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	plainBus, err := embedded.Start(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer plainBus.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, tt := range []struct {
		name, address string
		kind          Kind
		says          string // empty: it is good
	}{
		{"page", page, Page, ""},
		{"bus", bus, Bus, ""},
		{"another name", elsewhere, GRPC, "not for 127.0.0.1"},
		{"another authority", foreign, Page, "another authority"},
		{"bus of another authority", foreignBus, Bus, "another authority"},
		{"page without TLS", plain.Listener.Addr().String(), Page, "without TLS"},
		{"bus without TLS", strings.TrimPrefix(plainBus.URL(), "nats://"), Bus, "without TLS"},
		{"nobody", closed.Addr().String(), Page, "nothing listens"},
		{"no address", "", Page, "port"},
	} {
		p := Place{Kind: tt.kind, Address: tt.address}
		err := p.Try(t.Context(), own.File())
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}

// greetings feed TestGreeting and the seeds of FuzzGreeting.
var greetings = []struct {
	line string
	ok   bool
}{
	{`INFO {"tls_available":true}` + "\r\n", true},
	{`INFO {"tls_required":true}` + "\r\n", true},
	{`INFO {}` + "\r\n", false},
	{`INFO `, false},
	{`HTTP/1.1 400 Bad Request` + "\r\n", false},
	{"", false},
	{strings.Repeat("x", greeting.Longest+1), false},
}

func TestGreeting(t *testing.T) {
	for _, tt := range greetings {
		if err := greeted(strings.NewReader(tt.line)); (err == nil) != tt.ok {
			t.Errorf("%.40q: %v", tt.line, err)
		}
	}
}

func FuzzGreeting(f *testing.F) {
	for _, tt := range greetings {
		f.Add(tt.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if err := greeted(strings.NewReader(line)); err == nil && !strings.HasPrefix(line, "INFO ") {
			t.Errorf("%q is taken for a NATS server with TLS", line)
		}
	})
}
