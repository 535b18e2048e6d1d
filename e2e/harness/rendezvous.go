package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// Rendezvous is a rendezvous server with a relay, on the server of an internet. Its certificate is its own authority.
type Rendezvous struct {
	*Process
	// URL of the server, without a slash at the end.
	URL string

	host             *internet.Host
	more             []string
	state, cert, key string
	fingerprint      string // of the certificate's key, as Chromium wants it
	password         string
}

// GuestToken is the token with which players watch through a rendezvous server.
const GuestToken = "the-token-of-the-guests-of-the-test"

// StartRendezvous runs a server until the test ends. More are further flags of `waldo rendezvous`.
func StartRendezvous(tb testing.TB, n *internet.Internet, more ...string) *Rendezvous {
	tb.Helper()
	r := &Rendezvous{
		URL: "https://" + internet.ServerAddress.String(), host: n.Server(), more: more,
		state: filepath.Join(tb.TempDir(), "robots.json"), password: "the-secret-of-the-server-and-its-robots",
	}
	r.certify(tb)
	r.Restart(tb)
	return r
}

// Restart runs the server again after it was killed, with what it has kept.
func (r *Rendezvous) Restart(tb testing.TB) {
	tb.Helper()
	address := internet.ServerAddress.String()
	program, args := r.host.Command(Bin(tb, "waldo"), append([]string{
		"rendezvous", "--listen", ":443", "--cert", r.cert, "--key", r.key, "--name", address, "--public", address,
		"--state", r.state,
	}, r.more...)...)
	r.Process = Start(tb, []string{"WALDO_RENDEZVOUS_TOKEN=" + r.password}, program, args...)
}

// AwaitRobot waits until a robot is connected to the server.
func (r *Rendezvous) AwaitRobot(tb testing.TB, robot *Robot) {
	tb.Helper()
	Until(tb, "the robot is connected to the rendezvous server", func() error {
		if out := robot.Output(); !strings.Contains(out, "the robot is connected to its rendezvous server") {
			return fmt.Errorf("it prints %s", out)
		}
		return nil
	})
}

// Gateway is what the section `gateway` of a robot needs to use the server: for [Options].Gateway.
func (r *Rendezvous) Gateway() string {
	return fmt.Sprintf(", rendezvous: {url: %q, token: %q, ca: %q, guestToken: %q}", r.URL, r.password, r.cert, GuestToken)
}

// Trust makes Chromium accept the server's certificate, and no other beyond its own.
func (r *Rendezvous) Trust() chromedp.ExecAllocatorOption {
	return chromedp.Flag("ignore-certificate-errors-spki-list", r.fingerprint)
}

// certify makes the certificate.
func (r *Rendezvous) certify(tb testing.TB) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rendezvous of the test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{internet.ServerAddress.AsSlice()},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	sum := sha256.Sum256(public)
	r.fingerprint = base64.StdEncoding.EncodeToString(sum[:])
	r.cert = writePEM(tb, "cert.pem", "CERTIFICATE", cert)
	r.key = writePEM(tb, "key.pem", "PRIVATE KEY", private)
}

func writePEM(tb testing.TB, name, kind string, data []byte) string {
	tb.Helper()
	return WriteFile(tb, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})))
}

// Cert is the file of the server's certificate.
func (r *Rendezvous) Cert() string { return r.cert }
