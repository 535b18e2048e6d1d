package rendezvous_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/rendezvous"
	"github.com/waldo-robot/waldo/rendezvous/server"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const strong = "sixteen-or-more!"

// certify writes a certificate for localhost and its key, and returns the files and what trusts it.
func certify(t *testing.T, folder string) (file, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, key, roots
}

// TestWhole: with TLS on one port, a robot registers, is reached over HTTP/2, and gets the servers of the relay.
func TestWhole(t *testing.T) {
	file, key, roots := certify(t, t.TempDir())
	r, err := rendezvous.Start(rendezvous.Config{
		Listen: "127.0.0.1:0", Certificate: file, Key: key, Token: strong, Metrics: "127.0.0.1:0",
		Public: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, UDP: "127.0.0.1:0",
		State: filepath.Join(t.TempDir(), "robots.json"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, port, _ := net.SplitHostPort(r.Address())
	robotKey, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	session, err := tunnel.Dial(t.Context(), tunnel.Config{URL: "https://localhost:" + port, Token: strong, Robot: "rover",
		Key: robotKey, Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	robot := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, "by ", r.Header.Get("X-Forwarded-Proto"))
		})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = robot.Serve(session) })
	defer serving.Wait()
	defer robot.Close()
	defer session.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots,
		MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("https://localhost:" + port + "/r/rover/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.ProtoMajor != 2 || string(body) != "by https" {
		t.Errorf("%s, %q", answer.Proto, body)
	}
	ice, err := session.ICEServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, s := range ice.Servers {
		urls = append(urls, s.URLs...)
		if strings.HasPrefix(s.URLs[0], "turn") && (s.Username == "" || s.Credential == "") {
			t.Errorf("%v has no credentials", s.URLs)
		}
	}
	if got := strings.Join(urls, " "); !strings.Contains(got, "turns:127.0.0.1:"+port+"?transport=tcp") ||
		!strings.Contains(got, "stun:127.0.0.1") {
		t.Errorf("ICE servers: %s", got)
	}
	if families, err := r.Metrics().Gather(); err != nil || len(families) < 10 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
}

// TestRules: what would be unsafe is refused with what to do about it.
func TestRules(t *testing.T) {
	folder := t.TempDir()
	file, key, _ := certify(t, folder)
	if err := os.WriteFile(filepath.Join(folder, "text"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	listed := server.Keys{strings.Repeat("A", 43): nil}
	for name, tt := range map[string]struct {
		config rendezvous.Config
		says   string // empty: it starts
	}{
		"loopback":        {rendezvous.Config{Listen: "127.0.0.1:0"}, ""},
		"narrowed":        {rendezvous.Config{Listen: ":0"}, ""},
		"open":            {rendezvous.Config{Listen: "0.0.0.0:0"}, "waldo token"},
		"a weak token":    {rendezvous.Config{Listen: ":0", Token: "secret"}, "guessed"},
		"no name":         {rendezvous.Config{Listen: ":0", Token: strong}, "name:"},
		"no name, listed": {rendezvous.Config{Listen: ":0", Keys: listed}, "name:"},
		"no certificate":  {rendezvous.Config{Listen: ":0", Token: strong, Names: []string{"a"}}, "certificate"},
		"behind a proxy":  {rendezvous.Config{Listen: ":0", Token: strong, Names: []string{"a"}, Plain: true}, ""},
		"complete": {rendezvous.Config{Listen: ":0", Keys: listed, Names: []string{"a"}, Certificate: file,
			Key: key}, ""},
		"no key": {rendezvous.Config{Listen: "127.0.0.1:0", Certificate: file}, "both"},
		"another key": {rendezvous.Config{Listen: "127.0.0.1:0", Certificate: file,
			Key: filepath.Join(folder, "text")}, "cert:"},
		"no address":           {rendezvous.Config{Listen: "here", Keys: listed}, "host:port"},
		"metrics for all":      {rendezvous.Config{Listen: "127.0.0.1:0", Metrics: "0.0.0.0:0"}, "metrics"},
		"a state that is none": {rendezvous.Config{Listen: "127.0.0.1:0", State: filepath.Join(folder, "text")}, "text"},
		"a relay without address": {rendezvous.Config{Listen: "127.0.0.1:0", Public: []netip.Addr{netip.IPv4Unspecified()}},
			"relay"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := rendezvous.Start(tt.config)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
			if r != nil {
				r.Close()
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"example.org": true, "example.org:8443": true, "192.0.2.1": true, "[2001:db8::1]:443": true,
		"https://example.org": false,
		"example.org/":        false, "": false, ":443": false, "a b": false, "u@example.org": false,
	} {
		if err := rendezvous.CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
	r, err := rendezvous.Start(rendezvous.Config{Listen: "127.0.0.1:0",
		Names: []string{"Example.org:443", "other.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.URL() != "https://example.org/" {
		t.Errorf("it is at %s", r.URL())
	}
}

// TestRenewal: a certificate that was renewed is in use after a while, and a broken one is not.
func TestRenewal(t *testing.T) {
	folder := t.TempDir()
	file, key, first := certify(t, folder)
	var log bytes.Buffer
	get := rendezvous.Certificate(t, file, key, slog.New(slog.NewTextHandler(&log, nil)))
	trusted := func(after time.Duration, roots *x509.CertPool) bool {
		t.Helper()
		c, err := get(after)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost"})
		return err == nil
	}
	if !trusted(0, first) {
		t.Error("the first is not in use")
	}
	_, _, second := certify(t, folder)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
	if !trusted(time.Second, first) || !trusted(2*time.Minute, second) {
		t.Error("the second is in use at once, or never")
	}
	if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !trusted(4*time.Minute, second) || !strings.Contains(log.String(), "stays in use") {
		t.Errorf("a broken one is in use: %s", log.String())
	}
}
