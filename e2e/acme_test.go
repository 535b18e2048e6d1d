package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/acme"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

// public is a public authority, Let's Encrypt's test server, with a DNS in which every name is this machine.
type public struct {
	directory string // its address
	trust     string // the file that trusts that
	records   string // an address that publishes records: /set?name=…&value=…
	root      *x509.CertPool
}

// startPublic runs the authority; it asks for proofs over http at a port.
func startPublic(t *testing.T, httpPort int) *public {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	dns := harness.FreeAddress(t)
	names, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{dns}, Log: log.New(io.Discard, "", 0)})
	if err != nil {
		t.Fatal(err)
	}
	names.SetDefaultDNSIPv6("") // what forwards port 80 listens on IPv4
	go names.Run()
	t.Cleanup(names.Shutdown)
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "of the test"}})
	front := wfe.New(quiet, store, va.New(quiet, httpPort, 0, true, dns, store), authority, []string{"test"}, true, false,
		0, 1)
	own := certstest.NewAuthority(t)
	cert, key := own.Issue([]string{"127.0.0.1"})
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewUnstartedServer(front.Handler())
	served.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	served.StartTLS()
	t.Cleanup(served.Close)
	records := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path == "/set" {
			names.AddDNSTXTRecord(q.Get("name")+".", q.Get("value"))
		} else {
			names.DeleteDNSTXTRecord(q.Get("name") + ".")
		}
	}))
	t.Cleanup(records.Close)
	p := &public{served.URL + wfe.DirectoryPath, own.File(), records.URL, x509.NewCertPool()}
	p.root.AddCert(authority.GetRootCert(0).Cert)
	return p
}

// TestACME: a robot gets its certificate from a public authority, which asks for a proof at port 80 of the name, and
// serves it without a restart.
func TestACME(t *testing.T) {
	target := make(chan *url.URL, 1)
	gateway := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { // what forwards port 80
		to := <-target
		target <- to
		r.SetURL(to)
	}}
	forwarded := httptest.NewServer(gateway)
	defer forwarded.Close()
	p := startPublic(t, forwarded.Listener.Addr().(*net.TCPAddr).Port)
	robot := harness.StartRobot(t, harness.Options{
		TLS: fmt.Sprintf("{acme: {domain: rover.example.org, email: me@example.org, directory: %q, ca: %q}}", p.directory,
			p.trust),
	})
	to, err := url.Parse(robot.URL)
	if err != nil {
		t.Fatal(err)
	}
	target <- to
	harness.Until(t, "the page has the certificate", func() error {
		conn, err := tls.Dial("tcp", to.Host, &tls.Config{ServerName: "rover.example.org", RootCAs: p.root})
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// TestACMEByDNS has a program of the user publish the proof.
func TestACMEByDNS(t *testing.T) {
	p := startPublic(t, 1) // nothing is there
	program := filepath.Join(t.TempDir(), "records")
	script := "#!/bin/sh\nset -e\n[ -z \"$WALDO_TOKEN\" ]\n" +
		"curl -sS --fail -G --data-urlencode name=\"$2\" --data-urlencode value=\"$3\" " + p.records + "/$1\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WALDO_TOKEN", harness.Token) // which the program must not get
	folder := filepath.Join(t.TempDir(), "tls")
	issuer, err := acme.Start(acme.Config{Folder: folder, Domain: "rover.example.org", Directory: p.directory, CA: p.trust,
		DNS: program, Log: logtest.New(t, slog.LevelInfo)})
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Close()
	harness.Until(t, "there is a certificate", func() error {
		leaf := certs.ReadLeaf(folder)
		if leaf == nil {
			return os.ErrNotExist
		}
		_, err := leaf.Verify(x509.VerifyOptions{DNSName: "rover.example.org", Roots: p.root, Intermediates: chain(t, folder),
			CurrentTime: time.Now()})
		return err
	})
}

// chain returns the certificates beside a leaf.
func chain(t *testing.T, folder string) *x509.CertPool {
	t.Helper()
	data, err := os.ReadFile(certs.Leaf(folder).Cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) || strings.Count(string(data), "BEGIN CERTIFICATE") < 2 {
		t.Fatalf("the file holds\n%s", data)
	}
	return pool
}
