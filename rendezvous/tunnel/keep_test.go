package tunnel

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPauses: the pause stays short while the server was there lately, and grows otherwise.
func TestPauses(t *testing.T) {
	lost, refused := errors.New("lost"), &RefusedError{Wait: 7 * time.Second}
	start := time.Unix(1_000_000, 0)
	within := func(name string, got, least, most time.Duration) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s: %s, want %s to %s", name, got, least, most)
		}
	}
	var p pauses
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		within("never there", p.next(start.Add(time.Duration(i)*time.Minute), lost), want*time.Second/2, want*time.Second)
	}
	p.up(start)
	for i := range 100 {
		within("just there", p.next(start.Add(time.Duration(i)*5*time.Second), lost), minPause/2, minPause)
	}
	within("long gone", p.next(start.Add(recent+1), lost), minPause/2, minPause)
	within("longer", p.next(start.Add(recent+2), lost), minPause, 2*minPause)
	within("refused", p.next(start, refused), 7*time.Second, 8*time.Second)
	within("replaced", p.next(start, ErrReplaced), maxPause/2, maxPause)
	within("a year off", p.next(start.Add(-365*24*time.Hour), lost), minPause/2, minPause)
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestKeep: the robot is back after the server was, and says of each absence once what is wrong.
func TestKeep(t *testing.T) {
	r := newRig(t, nil)
	var log logged
	ctx, cancel := context.WithCancel(t.Context())
	ended, served := make(chan struct{}), make(chan *Session, 1)
	go func() {
		defer close(ended)
		Keep(ctx, Config{URL: r.URL, Robot: "rover", Key: newKey(t), Log: slog.New(slog.NewTextHandler(&log, nil))},
			func(s *Session) {
				served <- s
				<-s.Done()
			})
	}()
	for range 3 {
		get(t, served)
		_ = get(t, r.joined).Close()
	}
	get(t, served)
	cancel()
	get(t, ended)
	if n := strings.Count(log.String(), "far end is stopping"); n != 3 {
		t.Errorf("%d of 3 absences are logged:\n%s", n, log.String())
	}
}

// TestClock: a certificate that is not valid yet, or no more, is an error that speaks of the clock.
func TestClock(t *testing.T) {
	for name, from := range map[string]time.Time{
		"a year behind": time.Now().AddDate(1, 0, 0), "a year ahead": time.Now().AddDate(-1, 0, 0),
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: from.Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
		s.StartTLS()
		root, _ := x509.ParseCertificate(der)
		roots := x509.NewCertPool()
		roots.AddCert(root)
		_, err = Dial(t.Context(), Config{URL: s.URL, Robot: "rover", Key: newKey(t), Roots: roots})
		if err == nil || !strings.Contains(err.Error(), "clock, which says 2") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err = Dial(t.Context(), Config{URL: s.URL, Robot: "rover", Key: newKey(t)}); err == nil {
			t.Errorf("%s: an unknown authority is trusted", name)
		}
		s.Close()
	}
}
