package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/waldo-robot/waldo/pkg/state"
)

const (
	// maxFile bounds the files of certificates and keys, in bytes; a chain has some thousands.
	maxFile = 256 << 10
	// maxChain bounds how many certificates a file may hold.
	maxChain = 16
)

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes, which no certificate or key has", path, maxFile)
	}
	return data, err
}

// blocks returns the parts of a PEM file.
func blocks(data []byte) (list []*pem.Block) {
	for len(list) < maxChain+2 { // a key, and parameters of its curve, may stand beside
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		list = append(list, b)
	}
	return list
}

// parseChain returns the certificates of a PEM file; there is at least one. The error continues a sentence that begins
// with the name of the file.
func parseChain(data []byte) (chain []*x509.Certificate, err error) {
	for _, b := range blocks(data) {
		if b.Type != certificateType {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("has a certificate that cannot be read: %w", err)
		}
		chain = append(chain, c)
	}
	switch {
	case len(chain) == 0:
		return nil, errors.New("holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")
	case len(chain) > maxChain:
		return nil, fmt.Errorf("holds more than %d certificates: leave out those that are not of this chain", maxChain)
	}
	return chain, nil
}

// readKey reads a key of our own.
func readKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != keyType {
		return nil, fmt.Errorf("%s holds no private key in PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s is no ECDSA key on P-256", path)
	}
	return key, nil
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return state.Replace(path, pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der}), 0o600)
}

func writeCertificate(path string, c *x509.Certificate) error {
	return state.Replace(path, Encode(c), 0o644)
}
