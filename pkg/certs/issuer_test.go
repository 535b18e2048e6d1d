package certs

import (
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/version"
)

// machine is what an issuer sees of it.
type machine struct {
	mu        sync.Mutex
	addresses []net.Addr
	clock     time.Time     // zero: the test's
	ahead     time.Duration // of the test's
}

func (m *machine) config(folder string) IssuerConfig {
	return IssuerConfig{Folder: folder, Robot: "rover",
		addresses: func() ([]net.Addr, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.addresses, nil
		},
		clock: func() time.Time {
			m.mu.Lock()
			defer m.mu.Unlock()
			if !m.clock.IsZero() {
				return m.clock
			}
			return time.Now().Add(m.ahead)
		},
	}
}

// change changes the machine, and waits in a bubble of synctest until an issuer has seen it.
func (m *machine) change(f func()) {
	m.mu.Lock()
	f()
	m.mu.Unlock()
	time.Sleep(lookEvery)
	synctest.Wait()
}

// sinceDay sets a clock of synctest, which begins in 2000, to a day after this version was made.
var sinceDay = version.Day.Add(day).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))

func address(text string) net.Addr {
	ip, network, err := net.ParseCIDR(text)
	if err != nil {
		panic(err)
	}
	return &net.IPNet{IP: ip, Mask: network.Mask}
}

func readLeaf(t *testing.T, folder string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, leafFile))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := parseChain(data)
	if err != nil {
		t.Fatal(err)
	}
	return chain[0]
}

func start(t *testing.T, c IssuerConfig) {
	t.Helper()
	i, err := StartIssuer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
}

func TestIssuerFollowsAddresses(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{ahead: sinceDay,
			addresses: []net.Addr{address("192.168.1.7/24"), address("fe80::1/64"), address("203.0.113.7/24")}}
		start(t, m.config(folder))
		first := readLeaf(t, folder)
		if got := Listed(first); !strings.HasSuffix(got, "127.0.0.1, 192.168.1.7, 203.0.113.7, ::1") ||
			!strings.Contains(got, "rover.local") {
			t.Errorf("the leaf is for %s", got)
		}
		m.change(func() { m.addresses = nil })
		if !readLeaf(t, folder).Equal(first) {
			t.Error("another leaf, though the old one has the addresses that are left")
		}
		m.change(func() { m.addresses = []net.Addr{address("10.1.2.3/8")} })
		second := readLeaf(t, folder)
		if second.VerifyHostname("10.1.2.3") != nil {
			t.Errorf("the leaf is for %s", Listed(second))
		}
		m.change(func() { m.ahead += leafLife*2/3 - 2*day })
		if !readLeaf(t, folder).Equal(second) {
			t.Error("another leaf before two thirds of its life")
		}
		m.change(func() { m.ahead += 2 * day })
		if third := readLeaf(t, folder); third.Equal(second) || third.NotBefore.Before(time.Now().Add(m.ahead-2*day)) {
			t.Errorf("no new leaf after two thirds of its life: from %v", third.NotBefore)
		}
	})
}

// TestIssuerWithoutClock: a robot wakes in 1970, with and without a leaf, and its clock is set later.
// TestIssuerOnAFullDisk: a robot at another address starts with the certificate it has, and without one it says why
// not.
func TestIssuerOnAFullDisk(t *testing.T) {
	full := func(string, *x509.Certificate) error { return syscall.ENOSPC }
	m, folder := machine{addresses: []net.Addr{address("10.0.0.7/24")}}, t.TempDir()
	config := m.config(folder)
	config.write = full
	if _, err := StartIssuer(config); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("without a certificate: %v", err)
	}
	i, err := StartIssuer(m.config(folder))
	if err != nil {
		t.Fatal(err)
	}
	i.Close()
	before := ReadLeaf(folder)
	m.addresses = []net.Addr{address("10.0.0.8/24")}
	if i, err = StartIssuer(config); err != nil {
		t.Fatalf("with a certificate: %v", err)
	}
	i.Close()
	if !before.Equal(ReadLeaf(folder)) {
		t.Error("another certificate is there")
	}
}

func TestIssuerWithoutClock(t *testing.T) {
	folder := t.TempDir()
	m := &machine{clock: time.Unix(60, 0)}
	look := func() *x509.Certificate {
		t.Helper()
		i, err := StartIssuer(m.config(folder))
		if err != nil {
			t.Fatal(err)
		}
		i.Close()
		return readLeaf(t, folder)
	}
	born := look()
	if !born.NotBefore.Equal(version.Day.Add(-day)) {
		t.Errorf("without a clock the leaf is valid from %v", born.NotBefore)
	}
	m.clock = version.Day.AddDate(3, 0, 0)
	set := look()
	if !set.NotBefore.Equal(m.clock.Add(-day)) {
		t.Errorf("once the clock is set it is valid from %v", set.NotBefore)
	}
	m.clock = time.Unix(90, 0)
	if again := look(); !again.Equal(set) {
		t.Errorf("a clock that is lost again makes a leaf valid from %v", again.NotBefore)
	}
	m.addresses = []net.Addr{address("10.9.9.9/8")}
	if moved := look(); !moved.NotBefore.Equal(set.NotBefore) || moved.VerifyHostname("10.9.9.9") != nil {
		t.Errorf("a new address makes a leaf valid from %v for %s", moved.NotBefore, Listed(moved))
	}
	m.clock = version.Day.AddDate(1, 0, 0)
	if back := look(); !back.NotBefore.Equal(m.clock.Add(-day)) {
		t.Errorf("after the clock was ahead the leaf is valid from %v", back.NotBefore)
	}
}

func TestIssuerTakesOverANewAuthority(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{ahead: sinceDay}
		start(t, m.config(folder))
		a, err := RenewAuthority(folder, "rover", NamesOf("rover", nil))
		if err != nil {
			t.Fatal(err)
		}
		m.change(func() {})
		if err := verify(a, readLeaf(t, folder), "rover.local", version.Day.Add(2*day)); err != nil {
			t.Errorf("the leaf is not of the new authority: %v", err)
		}
	})
}

// names feed TestNamesOf and the seeds of FuzzNames. An empty want stands for a name that is left out.
var names = []struct {
	given string
	want  []string
}{
	{"rover", []string{"rover", "rover.local"}},
	{"rover.lan.", []string{"rover.lan"}},
	{"a.b-c.example", []string{"a.b-c.example"}},
	{"", nil}, {"-a", nil}, {"a-", nil}, {"a..b", nil}, {"ä", nil}, {"10.0.0.1", nil}, {"::1", nil}, {"a b", nil},
	{"*.local", nil},
	{strings.Repeat("a", 64), nil}, {strings.Repeat("a.", 130) + "a", nil}, {"Rover", nil}, {"\x80", nil},
}

func TestNamesOf(t *testing.T) {
	base := NamesOf("", nil)
	for _, tt := range names {
		want := append(slices.Clone(base), tt.want...)
		slices.Sort(want)
		if got := NamesOf("", []string{tt.given}); !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("%q: %q, want %q", tt.given, got, want)
		}
	}
}

// TestConstraints: a robot whose name is a top-level domain gets no authority over it.
func TestConstraints(t *testing.T) {
	for name, permitted := range map[string]bool{"dev": false, "bot": false, "cam": false, "app": false, "co.uk": false,
		"github.io": false, "rover": true, "rover.lan": true, "rover.example.co.uk": true} {
		a, err := newAuthority(name, []string{"localhost", name, name + ".local"})
		if err != nil {
			t.Fatal(err)
		}
		if a.permits(name) != permitted || a.permits("shop."+name) != permitted || !a.permits(name+".local") ||
			!a.permits("localhost") {
			t.Errorf("%s: permitted are %q", name, a.certificate.PermittedDNSDomains)
		}
	}
}

// TestTooWide: an authority of before that is permitted a top-level domain is told from what is made today.
func TestTooWide(t *testing.T) {
	for _, tt := range []struct {
		names, wide []string
	}{
		{[]string{"localhost", "dev", "dev.local"}, []string{"dev"}},
		{[]string{"localhost", "rover", "rover.local", "rover.example.co.uk"}, nil},
		{[]string{"co.uk", "app", "rover"}, []string{"co.uk", "app"}},
	} {
		old := certstest.NewAuthority(t, certstest.Permitted(tt.names...))
		folder := t.TempDir()
		if err := os.Rename(old.File(), filepath.Join(folder, authorityFile)); err != nil {
			t.Fatal(err)
		}
		c, err := ReadAuthority(folder)
		if err != nil {
			t.Fatal(err)
		}
		if got := TooWide(c); !slices.Equal(got, tt.wide) {
			t.Errorf("%q: too wide are %q", tt.names, got)
		}
		made, err := newAuthority("dev", tt.names)
		if err != nil {
			t.Fatal(err)
		}
		if got := TooWide(made.certificate); len(got) > 0 {
			t.Errorf("%q: a new one is too wide: %q", tt.names, got)
		}
	}
}

// FuzzNames: whatever a robot is called, its authority can be made, and a leaf for all names is good.
func FuzzNames(f *testing.F) {
	for _, tt := range names {
		f.Add(tt.given)
	}
	f.Fuzz(func(t *testing.T, name string) {
		list := NamesOf("rover", []string{name})
		a, err := newAuthority(name, list)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := a.issue(Names{DNS: list}, a.key, version.Day)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range constraints(list) {
			if err := verify(a, leaf, n, version.Day); err != nil {
				t.Errorf("%q: %v", n, err)
			}
		}
	})
}
