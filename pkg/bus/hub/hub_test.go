package hub_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/bus/hub"
	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Keys of users: two public ones, and the secret of a third.
const (
	one    = "UAKPRPNHONZ3TRAE423OXO7JH5E563W437BO4BCSHBHOLCOGA6XEJHQJ"
	two    = "UDG6YLMHWWEKYAANWSMGFRO6GXCOFKARXLA4M7COMTDAV22VFWZWGEEB"
	secret = "SUABIVX7MVMRG2BPRFU475BWLNTG4SYZQ2PDRIM2SCPQT2DH7CVZDULQGQ"
)

var files = []struct {
	name, text string
	wrong      []string // what the error tells; none: the file is fine
}{
	{"smallest", "hub: here\n", nil},
	{"whole", "hub: here\nlisten: 127.0.0.1:0\nleaf: '[::1]:7422'\nrobots: {rover: {key: " + one + "}}\n" +
		"gateways: {main: {key: " + two + "}}\n", nil},
	{"behind a proxy", "hub: here\nlisten: ':4222'\nplain: true\n", nil},
	{"empty", "", []string{"h: is empty: begin with `hub: <name>` and `robots:`"}},
	{"no name", "listen: 127.0.0.1:0\n", []string{"hub: has no name"}},
	{"unknown key", "hub: here\nrobot: {}\n", []string{`unknown key "robot" (did you mean "robots"?)`}},
	{"no address", "hub: here\nleaf: here\n", []string{`h:2: leaf: "here" is not an address`}},
	{"no TLS", "hub: here\nleaf: 0.0.0.0:7422\n", []string{"h:2: leaf:", "would not be encrypted", "plain: true"}},
	{"half a certificate", "hub: here\ntls: {cert: a.pem}\n", []string{"h:2: tls: has only one of cert and key"}},
	{"name of a robot", "hub: here\nrobots: {Rover: {key: " + one + "}}\n",
		[]string{`h:2: robots: "Rover" is not a name`}},
	{"taken name", "hub: here\nrobots: {fleet: {key: " + one + "}}\n", []string{"h:2: robots.fleet: the name is taken"}},
	{"no key", "hub: here\nrobots: {rover: {}}\n", []string{"h:2: robots.rover: has no key: `waldo hub key FILE`"}},
	{"bad key", "hub: here\nrobots: {rover: {key: U123}}\n", []string{"h:2: robots.rover.key: is not a public key"}},
	{"one key twice", "hub: here\nrobots: {a: {key: " + one + "}}\ngateways: {b: {key: " + one + "}}\n",
		[]string{"h:3: gateways.b.key: is the key of robots.a too"}},
	{"secret key", "hub: here\nrobots: {rover: {key: " + secret + "}}\n", []string{"robots.rover.key: is a secret key"}},
}

func parse(text string) (*hub.Config, error) { return hub.Parse("h", []byte(text)) }

func TestParse(t *testing.T) {
	for _, tt := range files {
		c, err := parse(tt.text)
		if (err == nil) != (tt.wrong == nil) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for _, want := range tt.wrong {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not tell %q", tt.name, err, want)
			}
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v repeats the secret", tt.name, err)
		}
		if err == nil {
			checkText(t, c)
		}
	}
}

// checkText fails unless nats-server takes the configuration.
func checkText(t *testing.T, c *hub.Config) {
	t.Helper()
	if err := new(server.Options).ProcessConfigString(c.Text()); err != nil {
		t.Errorf("nats-server does not take it: %v\n%s", err, c.Text())
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range files {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse(text)
		if err != nil || c.TLS.Cert != "" { // its files would have to exist
			return
		}
		checkText(t, c)
	})
}

func TestNewKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "rover.seed")
	public, err := hub.NewKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse("hub: here\nrobots: {rover: {key: " + public + "}}\n"); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v, %v", info.Mode(), err)
	}
	if _, err := hub.NewKey(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key is replaced: %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = hub.Start(&hub.Config{Hub: "here", Listen: taken.Addr().String(), Leaf: taken.Addr().String()})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "listen: ") ||
		!strings.Contains(err.Error(), "leaf: ") {
		t.Errorf("addresses in use: %v", err)
	}
	missing := &hub.Config{Hub: "here", Listen: "127.0.0.1:0", Leaf: "127.0.0.1:0",
		TLS: hub.Certificate{Cert: "/nowhere/cert", Key: "/nowhere/key"}}
	if _, err := hub.Start(missing); err == nil || !strings.Contains(err.Error(), "/nowhere/cert") {
		t.Errorf("no certificate: %v", err)
	}
}

// TestAddresses: a log tells the addresses as configured, a URL one that programs on this machine can connect to.
func TestAddresses(t *testing.T) {
	s, err := hub.Start(&hub.Config{Hub: "here", Listen: "127.0.0.1:0", Leaf: ":0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	leaf, listen := s.Addresses()
	if !strings.HasPrefix(leaf, ":") || s.LeafURL() != "nats://127.0.0.1"+leaf || s.URL() != "nats://"+listen {
		t.Errorf("the addresses %q and %q have the URLs %s and %s", leaf, listen, s.LeafURL(), s.URL())
	}
}

// TestReload: robots come and go, and the others stay connected.
func TestReload(t *testing.T) {
	c := &hub.Config{Hub: "here", Listen: "127.0.0.1:0", Leaf: "127.0.0.1:0"}
	s, err := hub.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	url, leaf := s.URL(), s.LeafURL()
	next := *c
	next.Robots = map[string]hub.Member{"rover": {Key: one}}
	next.Gateways = map[string]hub.Member{"main": {Key: two}}
	for range 2 {
		if err := s.Reload(&next); err != nil {
			t.Fatal(err)
		}
		if err := s.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
	if s.URL() != url || s.LeafURL() != leaf {
		t.Errorf("the addresses are %s and %s, were %s and %s", s.URL(), s.LeafURL(), url, leaf)
	}
	var bad *robot.Error
	if err := s.Reload(&hub.Config{Hub: "here", TLS: hub.Certificate{Cert: "/nowhere", Key: "/nowhere"}}); err == nil ||
		errors.As(err, &bad) {
		t.Errorf("a certificate that is not there: %v", err)
	}
}
