// Package dial connects to network cameras, with TLS where the scheme of the address asks for it.
//
// A certificate is one that the system trusts, or the one whose fingerprint is pinned; it is never left unchecked.
// Errors name the key and the remedy, and hold no secret.
package dial

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/socket"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// Config says how to connect.
type Config struct {
	Address address.Address
	// Key is the key of robot.yaml that has the address, url if it is empty. Assumed tells that nobody wrote it there,
	// and that the address is a guess.
	Key     string
	Assumed bool
	// Fingerprint is the SHA-256 of the camera's certificate as hexadecimal digits, with colons or without; see
	// [CheckFingerprint]. Without it, the certificate must be one that the system trusts.
	Fingerprint string
	// LegacyTLS allows versions and ciphers of TLS that are broken, for old cameras.
	LegacyTLS bool
	// Limit is how long it may take until a connection stands, TLS included. Zero stands for 3 s.
	Limit time.Duration
}

// Open connects to the camera.
func Open(ctx context.Context, c Config) (net.Conn, error) {
	if c.Limit <= 0 {
		c.Limit = 3 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.Address.HostPort())
	if err != nil {
		return nil, dialError(c, err)
	}
	conn = socket.Stream(conn)
	if !c.Address.Secure() {
		return conn, nil
	}
	secure := tls.Client(conn, tlsConfig(c))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // it never carried anything
		return nil, handshakeError(c, err)
	}
	return secure, nil
}

func dialError(c Config, err error) error {
	key, where := c.key(), c.Address.HostPort()
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		if name.IsNotFound {
			return feed.Failf(feed.Unreachable, key,
				"%s: there is no host %s: check its spelling, or write its IP address", key, c.Address.Host)
		}
		return feed.Failf(feed.Unreachable, key,
			"%s: the name %s cannot be resolved: check the network, or write an IP address", key, c.Address.Host)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return feed.Failf(feed.Unreachable, key, "nothing listens at %s: %s, or wait while the camera starts", where,
			c.remedy("check the port"))
	case errors.Is(err, context.DeadlineExceeded), IsTimeout(err):
		return feed.Failf(feed.Away, key, "no answer from %s in %s: check that the camera is on, and %s", where, c.Limit,
			c.remedy("its address"))
	}
	return feed.Failf(feed.Away, key, "%s cannot be reached: check the network, and %s", where, c.remedy("the address"))
}

func (c Config) key() string { return cmp.Or(c.Key, "url") }

// remedy is to do something with what stands in the key, or to write it.
func (c Config) remedy(do string) string {
	if !c.Assumed {
		return do + " in " + c.key()
	}
	guess := address.Address{Scheme: c.Address.Scheme, Host: c.Address.Host, Port: c.Address.Port}
	return fmt.Sprintf("write %s: %s with the port of the camera (%d is a guess)", c.key(), guess.URL(), c.Address.Port)
}

// IsTimeout reports whether an error of a connection means that its time was up.
func IsTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// errPin says which certificate came instead of the pinned one.
type errPin struct{ fingerprint string }

func (e errPin) Error() string { return "another certificate: " + e.fingerprint }

func tlsConfig(c Config) *tls.Config {
	config := &tls.Config{ServerName: c.Address.Host, MinVersion: tls.VersionTLS12}
	if c.LegacyTLS {
		config.MinVersion = tls.VersionTLS10
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			config.CipherSuites = append(config.CipherSuites, suite.ID)
		}
	}
	if c.Fingerprint != "" {
		// The certificate is compared below, which is stricter than what is skipped.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if got := Fingerprint(state.PeerCertificates[0]); got != normalized(c.Fingerprint) {
				return errPin{got}
			}
			return nil
		}
	}
	return config
}

func handshakeError(c Config, err error) error {
	if pin, ok := errors.AsType[errPin](err); ok {
		return feed.Failf(feed.Untrusted, "fingerprint", "fingerprint: the camera's certificate is another one: "+
			"if you have changed it, write fingerprint: %s", pin.fingerprint)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(e.UnverifiedCertificates) > 0 {
		return feed.Failf(feed.Untrusted, "fingerprint", "fingerprint: nobody vouches for the camera's certificate: "+
			"if it is your camera, write fingerprint: %s", Fingerprint(e.UnverifiedCertificates[0]))
	}
	if IsTimeout(err) || errors.Is(err, context.DeadlineExceeded) {
		return feed.Failf(feed.Away, c.key(), "%s does not answer by TLS in %s: check the port in %s",
			c.Address.HostPort(), c.Limit, c.key())
	}
	remedy := "check the port, or write " + strings.TrimSuffix(c.Address.Scheme,
		"s") + ":// if the camera does not encrypt"
	if !c.LegacyTLS {
		remedy += "; for an old camera, write tls: legacy"
	}
	return feed.Failf(feed.Away, c.key(), "%s and we agree on no TLS: %s", c.Address.HostPort(), remedy)
}

// CheckFingerprint returns an error unless a text is a fingerprint: 64 hexadecimal digits, with colons or without, or
// nothing.
func CheckFingerprint(s string) error {
	if data, err := hex.DecodeString(normalized(s)); s != "" && (err != nil || len(data) != sha256.Size) {
		return feed.Failf(feed.Misspelled, "fingerprint",
			"fingerprint: it is not the SHA-256 of a certificate: write its 64 hexadecimal digits")
	}
	return nil
}

func normalized(fingerprint string) string {
	return strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(fingerprint))
}

// Fingerprint returns the SHA-256 of a certificate, in hexadecimal digits.
func Fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:])
}
