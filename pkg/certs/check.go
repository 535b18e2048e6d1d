package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/version"
)

// The fields of a [FileError].
const (
	FieldCert = "cert"
	FieldKey  = "key"
)

// FileError says what is wrong with the file of a certificate or a key, and what would be right.
type FileError struct {
	// Field is FieldCert or FieldKey.
	Field string
	// Problem names the file.
	Problem string
	// Time is set if nothing is wrong but the time: the certificate is expired, or not valid yet.
	Time bool

	cause error
}

// Error implements error.
func (e *FileError) Error() string { return e.Field + ": " + e.Problem }

// Unwrap returns what the system said, if it is its error.
func (e *FileError) Unwrap() error { return e.cause }

func bad(field, format string, args ...any) *FileError {
	err := fmt.Errorf(format, args...)
	return &FileError{Field: field, Problem: err.Error(), cause: errors.Unwrap(err)}
}

// Check returns all that is wrong with a certificate that is used at a time, for clients that know the robot by these
// names, as joined errors of type [*FileError].
func Check(cert, key string, names []string, now time.Time) error {
	pair, err := readPair(cert, key)
	if err != nil {
		return err
	}
	return errors.Join(checkTime(cert, pair.Leaf, now), checkNames(cert, pair.Leaf, names))
}

func checkTime(file string, c *x509.Certificate, now time.Time) error {
	var err *FileError
	switch {
	case now.Before(c.NotBefore) && now.Before(version.Day):
		return nil // the clock is wrong
	case now.Before(c.NotBefore):
		err = bad(FieldCert, "%s is not valid before %s, and it is %s: use another, or set the clock of this machine", file,
			c.NotBefore.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))
	case now.After(c.NotAfter):
		err = bad(FieldCert, "%s expired on %s: renew it; it is read again without a restart", file,
			c.NotAfter.UTC().Format(time.DateTime))
	default:
		return nil
	}
	err.Time = true
	return err
}

func checkNames(file string, c *x509.Certificate, names []string) error {
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return c.VerifyHostname(name) == nil })
	if len(missing) == 0 {
		return nil
	}
	return bad(FieldCert, "%s is for %s, and not for %s: use one that has all names by which the robot is reached", file,
		Listed(c), strings.Join(missing, ", "))
}

// readPair reads a certificate and its key. Its error is a [*FileError].
func readPair(cert, key string) (*tls.Certificate, error) {
	certData, err := readFile(cert)
	if err != nil {
		return nil, unreadable(FieldCert, cert, err)
	}
	keyData, err := readFile(key)
	if err != nil {
		return nil, unreadable(FieldKey, key, err)
	}
	return parsePair(cert, certData, key, keyData)
}

func unreadable(field, file string, err error) error {
	var problem string
	switch {
	case errors.Is(err, fs.ErrNotExist):
		problem = fmt.Sprintf("there is no file %s: name one in PEM", file)
	case errors.Is(err, fs.ErrPermission):
		problem = fmt.Sprintf("%s cannot be read by this user: give the user of the robot's processes the right to", file)
	default:
		problem = fmt.Sprintf("%s cannot be read: %v", file, err)
	}
	return &FileError{Field: field, Problem: problem, cause: err}
}

// parsePair makes a pair of what two files hold.
func parsePair(certFile string, cert []byte, keyFile string, key []byte) (*tls.Certificate, error) {
	chain, err := parseChain(cert)
	if err != nil {
		return nil, bad(FieldCert, "%s %w", certFile, err)
	}
	if err := checkUse(chain[0]); err != nil {
		return nil, bad(FieldCert, "%s %w", certFile, err)
	}
	if err := checkKey(key); err != nil {
		return nil, bad(FieldKey, "%s %w", keyFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, bad(FieldKey, "%s does not belong to the certificate in %s: name the key it was issued for (%w)", keyFile,
			certFile, err)
	}
	return &pair, nil
}

// checkUse sees to it that clients take a certificate from a server.
func checkUse(c *x509.Certificate) error {
	serves := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
	switch {
	case !serves:
		return errors.New("is not for servers: use one with the extended key usage serverAuth")
	case len(c.DNSNames)+len(c.IPAddresses) == 0:
		return errors.New("names no host: use one with subject alternative names, as all browsers want; the certificate of the " +
			"server must come before those of its authorities")
	}
	return nil
}

// checkKey sees to it that there is a key that needs no password.
func checkKey(data []byte) error {
	found := blocks(data)
	i := slices.IndexFunc(found, func(b *pem.Block) bool { return strings.HasSuffix(b.Type, keyType) })
	switch {
	case i < 0:
		return errors.New("holds no key in PEM, which begins with -----BEGIN PRIVATE KEY-----")
	case found[i].Type == "ENCRYPTED PRIVATE KEY" || found[i].Headers["DEK-Info"] != "":
		return errors.New("is protected by a password, which nobody can type in when the robot starts: take it off, with " +
			"openssl pkey, and let the file be read by the robot only")
	}
	return nil
}
