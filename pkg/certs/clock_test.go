package certs

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/version"
)

// TestHandshakesWithoutClock: machines whose clock is before the day of this version, as that of a robot without a
// battery, trust each other's certificates, and so does a browser with the right time. Page, gRPC and bus all listen
// with a Source, and all of Waldo's programs dial with Client.
func TestHandshakesWithoutClock(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		if !time.Now().Before(version.Day) {
			t.Fatalf("the clock of the test shows %v", time.Now())
		}
		issuer, err := StartIssuer(IssuerConfig{Folder: folder, Robot: "rover"})
		if err != nil {
			t.Fatal(err)
		}
		defer issuer.Close()
		source, err := Leaf(folder).Load(nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, clock := range map[string]func() time.Time{
			"a program without a clock": nil, // that of Client
			"a browser on that day":     func() time.Time { return version.Day },
			"a browser two years later": func() time.Time { return version.Day.AddDate(2, 0, 0) },
		} {
			settings, err := Client(filepath.Join(folder, authorityFile))
			if err != nil {
				t.Fatal(err)
			}
			settings.ServerName = "rover.local"
			if clock != nil {
				settings.Time = clock
			}
			if err := shake(source.Server(), settings); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// shake returns why a client does not take a server's certificate.
func shake(server, client *tls.Config) error {
	near, far := net.Pipe()
	serving := tls.Server(far, server)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = serving.Handshake() // the client's error tells more
		_ = far.Close()
	}()
	err := tls.Client(near, client).Handshake()
	_ = near.Close()
	<-ended
	return err
}
