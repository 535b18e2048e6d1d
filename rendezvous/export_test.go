package rendezvous

import (
	"crypto/tls"
	"log/slog"
	"testing"
	"time"
)

// Certificate returns a function that gets a certificate as of some time after now.
func Certificate(t *testing.T, file, key string, log *slog.Logger) func(after time.Duration) (*tls.Certificate, error) {
	t.Helper()
	c, err := newCertificate(file, key, log)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	return func(after time.Duration) (*tls.Certificate, error) { return c.at(start.Add(after)) }
}
