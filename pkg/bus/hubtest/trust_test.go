package hubtest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/hub"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
)

// certify writes a certificate that stands for itself, and its key.
func certify(t *testing.T, from, until time.Time, ip string) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hub"}, NotBefore: from,
		NotAfter: until, IPAddresses: []net.IP{net.ParseIP(ip)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, kind string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return file("cert.pem", "CERTIFICATE", der), file("key.pem", "PRIVATE KEY", private)
}

// secure has a hub serve with TLS from now on.
func secure(t *testing.T, h *hubtest.Hub, cert, key string) {
	t.Helper()
	h.Server.Close()
	h.Config.TLS = hub.Certificate{Cert: cert, Key: key}
	server, err := hub.Start(h.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	h.Server = server
}

// authority is what a robot trusts.
func authority(t *testing.T, file string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// TestTLS: robots and gateways reach a hub whose certificate they trust, and say what is wrong with any other. The
// robot works all the same.
func TestTLS(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name        string
		from, until time.Time
		ip          string
		trusted     bool
		want        string // that the robot says; empty: it is linked
	}{
		{"good", now.Add(-time.Hour), now.Add(time.Hour), "127.0.0.1", true, ""},
		{"of an authority that is not trusted", now.Add(-time.Hour), now.Add(time.Hour), "127.0.0.1", false,
			"unknown authority"},
		{"expired", now.Add(-2 * time.Hour), now.Add(-time.Hour), "127.0.0.1", true, "expired"},
		{"not yet valid", now.Add(time.Hour), now.Add(2 * time.Hour), "127.0.0.1", true, "not yet valid"},
		{"for another host", now.Add(-time.Hour), now.Add(time.Hour), "192.0.2.1", true, "192.0.2.1, not 127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := hubtest.Start(t, "rover")
			cert, key := certify(t, tt.from, tt.until, tt.ip)
			secure(t, h, cert, key)
			leaf := h.Leaf(t, "rover")
			trusted := cert
			if !tt.trusted {
				trusted, _ = certify(t, tt.from, tt.until, tt.ip)
			}
			leaf.TLS = authority(t, trusted)
			r := run(t, leaf)
			serve(t, r.Conn(t), 10)
			if tt.want != "" {
				awaitProblem(t, r, tt.want)
				return
			}
			r.AwaitLink(t)
			c := h.CloudConfig(t)
			c.CA = cert
			cloud := hubtest.Connect(t, c)
			hubtest.Await(t, "a call passes", func() bool { return called(t, cloud) })
			plain := h.Leaf(t, "rover")
			plain.URL = strings.Replace(plain.URL, "tls://", "nats://", 1)
			awaitProblem(t, run(t, plain), "TLS")
		})
	}
}

// TestRemoved: a robot that is taken out of hub.yaml loses its link at once, is told why, and works on; so does one
// whose key is replaced. The others stay.
func TestRemoved(t *testing.T) {
	h := hubtest.Start(t, "rover", "arm")
	rover, arm := h.Robot(t, "rover"), h.Robot(t, "arm")
	c := rover.Conn(t)
	serve(t, c, 10)
	next := *h.Config
	next.Robots = map[string]hub.Member{"arm": h.Config.Robots["arm"]}
	if err := h.Server.Reload(&next); err != nil {
		t.Fatal(err)
	}
	awaitProblem(t, rover, "the hub does not accept the robot's key")
	if _, err := get(t, c, front); err != nil {
		t.Errorf("without a hub the robot does not work: %v", err)
	}
	if !arm.Linked() {
		t.Error("the other robot is gone")
	}
	if err := h.Server.Reload(h.Config); err != nil {
		t.Fatal(err)
	}
	rover.AwaitLink(t)
}

// TestKeyOfAnother: a robot with the key of another is in the account of that one. It neither answers for it nor takes
// its place, and the other way round; both work on their own.
func TestKeyOfAnother(t *testing.T) {
	h := hubtest.Start(t, "rover", "arm")
	leaf := h.Leaf(t, "arm")
	leaf.Robot = "rover"
	wrong := run(t, leaf)
	wrong.AwaitLink(t)
	c := wrong.Conn(t)
	serve(t, c, 10)
	cloud := h.Cloud(t)
	if called(t, cloud) {
		t.Error("a robot answers at the hub with the key of another")
	}
	if _, err := get(t, c, front); err != nil {
		t.Errorf("the robot does not work: %v", err)
	}
	right := h.Robot(t, "rover")
	serve(t, right.Conn(t), 10)
	hubtest.Await(t, "the right one answers", func() bool { return called(t, cloud) })
	if account, err := hubtest.Connect(t, bus.Config{URL: h.Server.URL(), Name: "uplink", Seed: leaf.Seed}).
		Account(t.Context()); err != nil || account != "arm" {
		t.Errorf("the uplink finds the account %q, %v", account, err)
	}
}
