package rtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"github.com/pion/webrtc/v4"
)

// newCertificate makes the certificate for this life of the gateway. All connections share it: making one costs
// milliseconds that a viewer would wait for. It outlives any process, unlike pion's default, which expires after a
// month.
func newCertificate() (webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return webrtc.Certificate{}, err
	}
	name := pkix.Name{CommonName: "waldo"}
	c, err := webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: serial, Subject: name, Issuer: name, Version: 2,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
	})
	if err != nil {
		return webrtc.Certificate{}, err
	}
	return *c, nil
}
