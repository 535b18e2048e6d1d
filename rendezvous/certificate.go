package rendezvous

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// checkEvery is how often the files of a certificate are looked at.
const checkEvery = time.Minute

// certificate is read again when its file changes: certificates are renewed while the server runs.
type certificate struct {
	file, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	changed time.Time // of the file
	checked time.Time
}

func newCertificate(file, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{file: file, key: key, log: log}
	if file == "" || key == "" {
		return nil, errors.New("cert: a certificate and its key belong together: name both files")
	}
	return c, c.read(time.Now())
}

func (c *certificate) read(now time.Time) error {
	c.checked = now
	info, err := os.Stat(c.file)
	if err != nil {
		return fmt.Errorf("cert: %w", err)
	}
	if c.current != nil && info.ModTime().Equal(c.changed) {
		return nil
	}
	read, err := tls.LoadX509KeyPair(c.file, c.key)
	if err != nil {
		return fmt.Errorf("cert: %w", err)
	}
	c.current, c.changed = &read, info.ModTime()
	return nil
}

// get returns the certificate for a handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.at(time.Now()) }

func (c *certificate) at(now time.Time) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checked) >= checkEvery {
		if err := c.read(now); err != nil {
			c.log.Warn("the certificate cannot be read again, and the old one stays in use", "error", err)
		}
	}
	return c.current, nil
}
