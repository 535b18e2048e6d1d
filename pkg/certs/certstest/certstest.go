// Package certstest makes certificates for tests: good ones, and ones with what is wrong with real ones.
package certstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority that permits everything.
type Authority struct {
	tb          testing.TB
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

// NewAuthority makes an authority, whose certificate is in a file.
func NewAuthority(tb testing.TB, options ...Option) *Authority {
	tb.Helper()
	a := &Authority{tb: tb, key: newKey(tb)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	for _, o := range options {
		o(template)
	}
	a.certificate = a.sign(template, template, a.key)
	a.file = filepath.Join(tb.TempDir(), "ca.crt")
	write(tb, a.file, "CERTIFICATE", a.certificate.Raw)
	return a
}

// File is the PEM file of the authority's certificate.
func (a *Authority) File() string { return a.file }

// Option changes a certificate before it is signed.
type Option func(*x509.Certificate)

// Between sets when it is valid.
func Between(begin, end time.Time) Option {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = begin, end }
}

// Permitted sets the names that an authority is kept to.
func Permitted(domains ...string) Option {
	return func(c *x509.Certificate) { c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = domains, true }
}

// Usage sets what it is for.
func Usage(u ...x509.ExtKeyUsage) Option {
	return func(c *x509.Certificate) { c.ExtKeyUsage = u }
}

// Issue writes a certificate for names and addresses, and its key, into new PEM files.
func (a *Authority) Issue(names []string, options ...Option) (cert, key string) {
	a.tb.Helper()
	folder := a.tb.TempDir()
	cert, key = filepath.Join(folder, "fullchain.pem"), filepath.Join(folder, "privkey.pem")
	a.IssueTo(cert, key, names, options...)
	return cert, key
}

// IssueTo writes a certificate and its key into these files.
func (a *Authority) IssueTo(cert, key string, names []string, options ...Option) {
	a.tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "a server"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	for _, o := range options {
		o(template)
	}
	own := newKey(a.tb)
	der, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		a.tb.Fatal(err)
	}
	write(a.tb, key, "PRIVATE KEY", der)
	write(a.tb, cert, "CERTIFICATE", a.sign(template, a.certificate, own).Raw)
}

// sign signs with the key of the authority.
func (a *Authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return c
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// write replaces a file as a whole.
func write(tb testing.TB, path, kind string, der []byte) {
	tb.Helper()
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}
