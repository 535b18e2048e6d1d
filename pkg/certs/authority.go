package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/pkg/version"
)

const (
	// The key of the authority has a folder of its own, which can be hidden from all processes but the one that issues.
	authorityFile, authorityKey = "ca.crt", "authority/ca.key"
	leafFile, leafKey           = "leaf.crt", "leaf.key"
	lockFile                    = ".lock"

	certificateType, keyType = "CERTIFICATE", "PRIVATE KEY"

	day      = 24 * time.Hour
	leafLife = 820 * day
	// patience bounds the wait for another process that makes an authority.
	patience = 5 * time.Second
)

// An authority is valid from the time that a clock without a battery shows, to the last year that the short form of
// times in certificates can express.
var authorityBegin, authorityEnd = time.Unix(0, 0).UTC(), time.Date(2049, time.December, 31, 0, 0, 0, 0, time.UTC)

// Now is the time, or the day this version was made if the clock is wrong and shows an earlier one.
func Now() time.Time { return notBefore(time.Now(), version.Day) }

func notBefore(t, least time.Time) time.Time {
	if t.Before(least) {
		return least
	}
	return t
}

// Folder is where the certificates of a robot are, in the folder where the machine keeps its state.
func Folder(environ func(string) string) (string, error) {
	folder, err := state.Folder("", environ)
	return filepath.Join(folder, "tls"), err
}

// Authority is the certificate authority of a robot.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// LoadAuthority reads the authority in a folder, with its key. The error wraps fs.ErrNotExist if there is none.
func LoadAuthority(folder string) (*Authority, error) {
	certificate, err := ReadAuthority(folder)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, authorityKey)
	key, err := readKey(path)
	if err != nil {
		return nil, fmt.Errorf("%w: restore it, or make a new authority with `waldo trust --new`", err)
	}
	if !key.PublicKey.Equal(certificate.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to %s: restore both, or make a new authority with `waldo trust --new`",
			path, authorityFile)
	}
	return &Authority{certificate, key}, nil
}

// ReadAuthority reads the certificate of the authority in a folder. The error wraps fs.ErrNotExist if there is none.
func ReadAuthority(folder string) (*x509.Certificate, error) {
	path := filepath.Join(folder, authorityFile)
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	chain, err := parseChain(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return chain[0], nil
}

// OpenAuthority is LoadAuthority, and makes one for these names if there is none. Two processes that make it at the
// same time get the same one.
func OpenAuthority(folder, robot string, names []string) (*Authority, error) {
	if a, err := LoadAuthority(folder); !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if err := makeFolders(folder); err != nil {
		return nil, err
	}
	lock, err := state.Take(filepath.Join(folder, lockFile), patience)
	if err != nil {
		return nil, fmt.Errorf("the robot's certificate authority cannot be made: %w", err)
	}
	defer lock.Release()
	a, err := LoadAuthority(folder)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if a, err = newAuthority(robot, names); err != nil {
		return nil, err
	}
	return a, a.store(folder)
}

// RenewAuthority replaces the authority in a folder. Everybody has to trust the new one.
func RenewAuthority(folder, robot string, names []string) (*Authority, error) {
	for _, name := range []string{authorityFile, authorityKey, leafFile, leafKey} {
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return OpenAuthority(folder, robot, names)
}

func newAuthority(robot string, names []string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial := newSerial()
	template := &x509.Certificate{
		SerialNumber: serial,
		// The number tells authorities apart that a robot had one after the other. A common name has at most 64 characters.
		Subject: pkix.Name{CommonName: fmt.Sprintf("Waldo robot %.40s %x", strings.ToValidUTF8(robot, ""),
			serial.Bytes()[:3])},
		NotBefore: authorityBegin, NotAfter: authorityEnd,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, // no signed programs, no mail
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: constraints(names),
	}
	certificate, err := sign(template, template, key, key)
	return &Authority{certificate, key}, err
}

func newSerial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// makeFolders makes the folder, which everybody may look into who may look into the one above, and that of the key.
func makeFolders(folder string) error {
	return errors.Join(state.MakeFolder(filepath.Dir(folder), 0o700), state.MakeFolder(folder, 0o755),
		state.MakeFolder(filepath.Join(folder, filepath.Dir(authorityKey)), 0o700))
}

// store writes the key first: without the certificate there is no authority yet.
func (a *Authority) store(folder string) error {
	if err := writeKey(filepath.Join(folder, authorityKey), a.key); err != nil {
		return err
	}
	return writeCertificate(filepath.Join(folder, authorityFile), a.certificate)
}

// Certificate is what clients have to trust.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// permits reports whether the authority may issue a leaf for a name.
func (a *Authority) permits(name string) bool {
	return slices.ContainsFunc(a.certificate.PermittedDNSDomains, func(domain string) bool {
		return name == domain || strings.HasSuffix(name, "."+strings.TrimPrefix(domain, "."))
	})
}

// permitted returns the names that the authority may issue a leaf for, with all addresses, and the names that it may
// not.
func (a *Authority) permitted(n Names) (may Names, others []string) {
	may.IPs = n.IPs
	for _, name := range n.DNS {
		if a.permits(name) {
			may.DNS = append(may.DNS, name)
		} else {
			others = append(others, name)
		}
	}
	return may, others
}

// issue returns a leaf for these names as of now.
func (a *Authority) issue(n Names, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	may, _ := a.permitted(n)
	begin := now.Add(-day)
	template := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{CommonName: a.certificate.Subject.CommonName + " leaf"},
		NotBefore: begin, NotAfter: begin.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: may.DNS,
	}
	for _, ip := range may.IPs {
		template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
	}
	return sign(template, a.certificate, key, a.key)
}

// Fingerprint returns the SHA-256 of a certificate, in the form that browsers and openssl show: 32 pairs of digits with
// colons between.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":")
}

// Encode returns a certificate in PEM.
func Encode(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: c.Raw})
}
