package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/version"
)

func write(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCheck(t *testing.T) {
	a := certstest.NewAuthority(t)
	now := time.Now()
	names := []string{"rover.example", "192.0.2.7"}
	good, key := a.Issue(names)
	_, otherKey := a.Issue(names)
	expired, expiredKey := a.Issue(names, certstest.Between(now.Add(-48*time.Hour), now.Add(-time.Hour)))
	future, futureKey := a.Issue(names, certstest.Between(now.Add(time.Hour), now.Add(48*time.Hour)))
	client, clientKey := a.Issue(names, certstest.Usage(x509.ExtKeyUsageClientAuth))
	nameless, namelessKey := a.Issue(nil)
	locked := write(t, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	broken := write(t, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	tests := []struct {
		what, cert, key string
		names           []string
		now             time.Time
		field           string // empty: nothing is wrong
		says            []string
		time            bool
	}{
		{"good", good, key, names, now, "", nil, false},
		{"good without names", good, key, nil, now, "", nil, false},
		{"good before there was a clock", good, key, names, time.Unix(60, 0), "", nil, false},
		{"expired", expired, expiredKey, nil, now, "cert", []string{expired, "expired on", "renew"}, true},
		{"not yet valid", future, futureKey, nil, now, "cert", []string{future, "not valid before", "set the clock"}, true},
		{"for another name", good, key, []string{"rover.example", "raver.example"}, now, "cert",
			[]string{"is for rover.example, 192.0.2.7, and not for raver.example"}, false},
		{"another key", good, otherKey, nil, now, "key", []string{otherKey, "does not belong to", good}, false},
		{"no file", good + "x", key, nil, now, "cert", []string{"there is no file", good + "x"}, false},
		{"no key file", good, key + "x", nil, now, "key", []string{"there is no file", key + "x"}, false},
		{"a folder", t.TempDir(), key, nil, now, "cert", []string{"is not a file"}, false},
		{"swapped", key, good, nil, now, "cert", []string{"holds no certificate"}, false},
		{"twice the certificate", good, good, nil, now, "key", []string{"holds no key"}, false},
		{"a password", good, locked, nil, now, "key", []string{"protected by a password", "openssl pkey"}, false},
		{"broken", broken, key, nil, now, "cert", []string{"cannot be read"}, false},
		{"for clients", client, clientKey, nil, now, "cert", []string{"serverAuth"}, false},
		{"nameless", nameless, namelessKey, nil, now, "cert", []string{"names no host"}, false},
	}
	for _, tt := range tests {
		err := certs.Check(tt.cert, tt.key, tt.names, tt.now)
		var bad *certs.FileError
		if !errors.As(err, &bad) {
			if err != nil || tt.field != "" {
				t.Errorf("%s: %v", tt.what, err)
			}
			continue
		}
		if bad.Field != tt.field || bad.Time != tt.time {
			t.Errorf("%s: %+v", tt.what, bad)
		}
		for _, text := range tt.says {
			if !strings.Contains(bad.Problem, text) {
				t.Errorf("%s: %q does not say %q", tt.what, bad.Problem, text)
			}
		}
		if _, err := certs.Load(tt.cert, tt.key, nil); (err == nil) != (tt.time || len(tt.names) > 0) {
			t.Errorf("%s is loaded: %v", tt.what, err)
		}
	}
	if os.Getuid() != 0 { // root reads everything
		if err := os.Chmod(key, 0); err != nil {
			t.Fatal(err)
		}
		if err := certs.Check(good, key, nil, now); err == nil || !strings.Contains(err.Error(), "by this user") {
			t.Errorf("unreadable: %v", err)
		}
	}
}

// TestSourceReadsAgain: what a source serves is what its files hold, and the last good one if they are broken.
func TestSourceReadsAgain(t *testing.T) {
	a := certstest.NewAuthority(t)
	cert, key := a.Issue([]string{"first.example"})
	s, err := certs.Load(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	serves := func(name string) bool { return s.Certificate().VerifyHostname(name) == nil }
	if !serves("first.example") {
		t.Fatal("the first is not served")
	}
	await := func(name string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !serves(name); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s is never served", name)
			}
		}
	}
	a.IssueTo(cert, key, []string{"second.example"})
	await("second.example")
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // longer than a source takes to look at its files
	if !serves("second.example") {
		t.Error("a broken file is served")
	}
	a.IssueTo(cert, key, []string{"third.example"})
	await("third.example")
}

// TestLeafComesLater: who starts before the leaf was issued serves it as soon as it is there.
func TestLeafComesLater(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tls")
	s, err := certs.Leaf(folder).Load(nil)
	if err != nil || s.Certificate() != nil {
		t.Fatalf("%v, %v", s.Certificate(), err)
	}
	i, err := certs.StartIssuer(certs.IssuerConfig{Folder: folder, Robot: "rover"})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for end := time.Now().Add(time.Minute); s.Certificate() == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the leaf is never served")
		}
	}
}

func TestClient(t *testing.T) {
	a := certstest.NewAuthority(t)
	c, err := certs.Client(a.File())
	if err != nil || c.RootCAs == nil {
		t.Fatal(err)
	}
	if got := c.Time(); got.Before(version.Day) {
		t.Errorf("certificates are checked as of %v", got)
	}
	if c, err := certs.Client(""); err != nil || c.RootCAs != nil {
		t.Errorf("%+v, %v", c, err)
	}
	for path, says := range map[string]string{"/nowhere/ca.crt": "/nowhere/ca.crt",
		write(t, "text"): "holds no certificate"} {
		if _, err := certs.Client(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// FuzzLoad: whatever files hold, there is a pair that a server can use or an error about one of the fields.
func FuzzLoad(f *testing.F) {
	a := certstest.NewAuthority(f)
	cert, key := a.Issue([]string{"rover.example"})
	f.Add(read(f, cert), read(f, key))
	f.Add(read(f, cert)+read(f, a.File()), read(f, key))
	f.Add(read(f, key), read(f, cert))
	f.Add(read(f, a.File()), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "")
	folder := f.TempDir()
	cert, key = filepath.Join(folder, "cert"), filepath.Join(folder, "key")
	f.Fuzz(func(t *testing.T, certText, keyText string) {
		if err := errors.Join(os.WriteFile(cert, []byte(certText), 0o600),
			os.WriteFile(key, []byte(keyText), 0o600)); err != nil {
			t.Fatal(err)
		}
		s, err := certs.Load(cert, key, nil)
		var bad *certs.FileError
		switch {
		case err == nil && s.Certificate() == nil:
			t.Error("neither a certificate nor an error")
		case err != nil && (!errors.As(err, &bad) || bad.Field != certs.FieldCert && bad.Field != certs.FieldKey):
			t.Errorf("%v names no field", err)
		}
		if got, err := s.GetCertificate(&tls.ClientHelloInfo{}); (err == nil) != (got != nil) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
