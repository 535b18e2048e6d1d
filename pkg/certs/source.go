package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// statEvery is how often the files of a certificate are looked at, at most.
const statEvery = time.Second

var errNone = errors.New("there is no certificate yet: `waldo up` or `waldo bus` issues it")

// Source is the certificate of who listens. It is read again, during handshakes, when its files have changed. If they
// cannot be read then, the present one stays in use, and the log says so.
type Source struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	version [2]stamp
	looked  time.Time
	told    string // the last trouble that was logged
}

// stamp tells versions of a file apart.
type stamp struct {
	info fs.FileInfo
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

func (s stamp) same(t stamp) bool {
	if s.info == nil || t.info == nil {
		return s.info == nil && t.info == nil
	}
	return os.SameFile(s.info, t.info) && s.info.ModTime().Equal(t.info.ModTime()) && s.info.Size() == t.info.Size()
}

// Load reads a certificate, with those of its authorities if there are any, and its key. Its error is a [*FileError];
// a certificate that is expired or not yet valid is not an error.
func Load(cert, key string, log *slog.Logger) (*Source, error) {
	s := newSource(cert, key, log)
	return s, s.read()
}

// Files are those of a certificate.
type Files struct {
	// Cert is the certificate, with those of its authorities if there are any, and Key its key. Both are empty for no TLS.
	Cert, Key string
	// Issued tells that another process of the robot writes them. While there are none, handshakes fail.
	Issued bool
}

// Leaf returns the files of the leaf in a folder, see [Folder].
func Leaf(folder string) Files {
	return Files{filepath.Join(folder, leafFile), filepath.Join(folder, leafKey), true}
}

// On reports whether there is TLS.
func (f Files) On() bool { return f.Cert != "" || f.Key != "" }

// Validate reports a certificate without a key, and the reverse.
func (f Files) Validate() error {
	switch {
	case f.Cert == "" && f.Key != "":
		return bad(FieldCert, "is missing: name the file with the certificate of the key")
	case f.Cert != "" && f.Key == "":
		return bad(FieldKey, "is missing: name the file with the key of the certificate")
	}
	return nil
}

// Load is the function [Load]; without TLS it returns nil.
func (f Files) Load(log *slog.Logger) (*Source, error) {
	if !f.On() {
		return nil, nil
	}
	s, err := Load(f.Cert, f.Key, log)
	if err != nil && (!f.Issued || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	return s, nil
}

func newSource(cert, key string, log *slog.Logger) *Source {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Source{cert: cert, key: key, log: log}
}

// read is called with mu held, or before anybody else has the source.
func (s *Source) read() error {
	s.looked, s.version = time.Now(), [2]stamp{stampOf(s.cert), stampOf(s.key)}
	pair, err := readPair(s.cert, s.key)
	if err != nil {
		return err
	}
	s.current = pair
	return nil
}

// GetCertificate is that of a [tls.Config].
func (s *Source) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	if s.current == nil {
		return nil, errNone
	}
	return s.current, nil
}

// look reads the files again if they have changed since.
func (s *Source) look() {
	if time.Since(s.looked) < statEvery {
		return
	}
	s.looked = time.Now()
	if s.version[0].same(stampOf(s.cert)) && s.version[1].same(stampOf(s.key)) {
		return
	}
	text := ""
	if err := s.read(); err != nil {
		text = err.Error()
	} else {
		s.log.Info("read the certificate again", "names", Listed(s.current.Leaf), "until", s.current.Leaf.NotAfter)
	}
	if text != s.told && text != "" {
		s.log.Warn("the certificate cannot be read again, and the old one stays in use", "error", text)
	}
	s.told = text
}

// Certificate returns the certificate in use; nil if there is none yet.
func (s *Source) Certificate() *x509.Certificate {
	pair, err := s.GetCertificate(nil)
	if err != nil {
		return nil
	}
	return pair.Leaf
}

// Server returns the settings of who listens, for clients that speak one of these protocols (ALPN), the preferred one
// first; none: any.
func (s *Source) Server(protocols ...string) *tls.Config {
	return &tls.Config{GetCertificate: s.GetCertificate, NextProtos: protocols, MinVersion: tls.VersionTLS12}
}
