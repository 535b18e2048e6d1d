package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// Environment is the variable with the file that clients trust, see [Client].
const Environment = "WALDO_CA"

// Client returns the settings of who dials: they trust the authorities in a file, and no others, or those of the system
// if file is empty. A clock that shows a day before this version was made does not make them refuse a certificate.
func Client(file string) (*tls.Config, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12, Time: Now}
	if file == "" {
		return settings, nil
	}
	data, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("the file of trusted authorities cannot be read: %w", err)
	}
	chain, err := parseChain(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", file, err)
	}
	settings.RootCAs = x509.NewCertPool()
	for _, c := range chain {
		settings.RootCAs.AddCert(c)
	}
	return settings, nil
}
