package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/version"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, folder string) *Authority {
	t.Helper()
	a, err := OpenAuthority(folder, "rover", NamesOf("rover", nil))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// verify returns why a client that trusts an authority refuses a leaf under a name.
func verify(a *Authority, leaf *x509.Certificate, name string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now})
	return err
}

func TestAuthorityIsMadeOnce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tls")
	if _, err := ReadAuthority(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	prints := make([]string, 4)
	var all sync.WaitGroup
	for i := range prints {
		all.Go(func() {
			if a, err := OpenAuthority(folder, "rover", NamesOf("rover", nil)); err == nil {
				prints[i] = Fingerprint(a.certificate)
			}
		})
	}
	all.Wait()
	if len(slices.Compact(slices.Clone(prints))) != 1 || len(prints[0]) != 32*3-1 {
		t.Errorf("fingerprints %q", prints)
	}
	for name, want := range map[string]fs.FileMode{authorityFile: 0o644, authorityKey: 0o600} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	renewed, err := RenewAuthority(folder, "rover", NamesOf("rover", nil))
	if err != nil || Fingerprint(renewed.certificate) == prints[0] {
		t.Errorf("renewed: %v", err)
	}
}

// TestAuthorityIsConstrained has the key of an authority sign what it must not: as a thief would.
func TestAuthorityIsConstrained(t *testing.T) {
	a := open(t, t.TempDir())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		ok   bool
	}{
		{"rover.local", true}, {"rover", true}, {"localhost", true},
		// no addresses are constrained, see the package comment
		{"192.168.7.9", true}, {"fd00::1", true}, {"203.0.113.7", true},
		{"bank.example", false}, {"printer.local", false}, {"local", false}, {"rover.local.example", false},
	}
	for _, tt := range tests {
		template := &x509.Certificate{SerialNumber: newSerial(), NotBefore: version.Day, NotAfter: version.Day.Add(leafLife),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		if ip, err := netip.ParseAddr(tt.name); err == nil {
			template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
		} else {
			template.DNSNames = []string{tt.name}
		}
		leaf, err := sign(template, a.certificate, key, a.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(a, leaf, tt.name, version.Day.Add(day)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestIssueLeavesOut: a leaf has only what the authority permits, so that clients take it.
func TestIssueLeavesOut(t *testing.T) {
	a := open(t, t.TempDir())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	names := Names{DNS: []string{"rover.local", "other.example"},
		IPs: []netip.Addr{netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("203.0.113.7")}}
	now := time.Now()
	leaf, err := a.issue(names, key, now)
	if err != nil {
		t.Fatal(err)
	}
	if got := Listed(leaf); got != "rover.local, 192.168.1.7, 203.0.113.7" {
		t.Errorf("the leaf is for %s", got)
	}
	for _, name := range []string{"rover.local", "192.168.1.7", "203.0.113.7"} {
		if err := verify(a, leaf, name, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 825*day {
		t.Errorf("the leaf lives for %v", life)
	}
	if a.certificate.NotBefore.Unix() != 0 || !a.certificate.PermittedDNSDomainsCritical {
		t.Errorf("authority from %v, critical %v", a.certificate.NotBefore, a.certificate.PermittedDNSDomainsCritical)
	}
}

func TestDamagedAuthority(t *testing.T) {
	for _, tt := range []struct {
		name string
		harm func(folder string) error
		says string
	}{
		{"no key", func(f string) error { return os.Remove(filepath.Join(f, authorityKey)) }, "ca.key"},
		{"another key", func(f string) error {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				return err
			}
			return writeKey(filepath.Join(f, authorityKey), key)
		}, "does not belong"},
		{"half", func(f string) error { return os.Truncate(filepath.Join(f, authorityFile), 100) },
			"ca.crt holds no certificate"},
		{"large", func(f string) error { return os.Truncate(filepath.Join(f, authorityFile), maxFile+1) }, "bytes"},
		{"a folder", func(f string) error {
			path := filepath.Join(f, authorityFile)
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}, "not a file"},
	} {
		folder := t.TempDir()
		open(t, folder)
		if err := tt.harm(folder); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadAuthority(folder); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
