// Package acme gets a robot's certificate from a public authority (ACME, RFC 8555), and renews it.
//
// The authority wants a proof that the robot has the name. Either it asks for a file at http://name/.well-known/, which
// the gateway serves without TLS: port 80 of the name must lead to its port (http-01). Or a program of the user's
// publishes a record in DNS (dns-01), so the robot need not be reached from the internet, and its name may stand for a
// private address. What is published lies in a folder, so the process that asks need not be the one that serves it.
//
// The certificate takes the place of the leaf that package certs describes; those who serve it read it again.
//
// An [Issuer] owns a goroutine, which Close ends and waits for. Failures are retried, at first after a minute, then
// more and more slowly up to every six hours, or when the authority says.
package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/pkg/version"
)

const (
	// lookEvery is how often the issuer looks at the clock.
	lookEvery = time.Hour
	// startTime is what the gateway, which starts at the same time, has to get ready to serve the proof.
	startTime = 3 * time.Second
	// Failures are retried after these pauses.
	firstPause, longestPause = time.Minute, 6 * time.Hour
	// orderTime bounds one attempt, and callTime a request within.
	orderTime, callTime = 10 * time.Minute, time.Minute
)

// Config says which certificate is wanted. Folder and Domain are required.
type Config struct {
	// Folder is that of the robot's certificates, see certs.Folder.
	Folder string
	// Domain is the name.
	Domain string
	// Email is where the authority may write to; empty: nowhere.
	Email string
	// Directory is the address of the authority. Default: Let's Encrypt.
	Directory string
	// CA is a file of the authorities that are trusted when Directory is called. Default: those of the system.
	CA string
	// DNS is a program that publishes the proof in DNS; empty: the gateway serves it.
	DNS string
	// Log may be nil.
	Log *slog.Logger
}

// Challenges is where proofs lie that the gateway serves, in a folder of certificates.
func Challenges(folder string) string { return filepath.Join(folder, "proofs") }

// Issuer gets and renews a certificate.
type Issuer struct {
	config Config
	client *acme.Client
	key    *ecdsa.PrivateKey // of the certificate

	cancel context.CancelFunc
	owned  sync.WaitGroup
}

// Start starts to get the certificate if there is none that will do. It does not wait for it.
func Start(c Config) (*Issuer, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Directory == "" {
		c.Directory = acme.LetsEncryptURL
	}
	trust, err := certs.Client(c.CA)
	if err != nil {
		return nil, fmt.Errorf("tls.acme.ca: %w", err)
	}
	i := &Issuer{config: c}
	if i.key, err = certs.LeafKey(c.Folder); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	account, err := certs.OpenKey(filepath.Join(c.Folder, "authority", "account.key"))
	if err != nil {
		return nil, fmt.Errorf("tls.acme: the key of the account: %w", err)
	}
	if err := state.MakeFolder(Challenges(c.Folder), 0o755); err != nil {
		return nil, fmt.Errorf("tls.acme: the folder for proofs: %w", err)
	}
	i.client = &acme.Client{
		Key: account, DirectoryURL: c.Directory, UserAgent: "waldo/" + version.Version,
		HTTPClient: &http.Client{Timeout: callTime, Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, DisableKeepAlives: true,
		}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	i.owned.Go(func() { i.run(ctx) })
	return i, nil
}

// Close ends the issuer. The certificate stays.
func (i *Issuer) Close() {
	i.cancel()
	i.owned.Wait()
}

func (i *Issuer) run(ctx context.Context) {
	pause := firstPause
	wait := time.Duration(0)
	if i.config.DNS == "" && i.due() {
		wait = startTime
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = lookEvery
		if i.due() {
			err := i.obtain(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				pause = firstPause
			default:
				wait, pause = i.later(err, pause), min(2*pause, longestPause)
				i.config.Log.Warn("the certificate could not be got; trying again", "name", i.config.Domain, "in", wait,
					"error", err)
			}
		}
	}
}

// later is how long to wait after a failure: as the authority says, if it does.
func (i *Issuer) later(err error, pause time.Duration) time.Duration {
	var refused *acme.Error
	if errors.As(err, &refused) {
		if after, ok := acme.RateLimit(refused); ok && after > pause {
			return min(after, 24*time.Hour)
		}
	}
	return pause
}

// due reports whether a certificate has to be got now.
func (i *Issuer) due() bool {
	c := certs.ReadLeaf(i.config.Folder)
	return c == nil || c.VerifyHostname(i.config.Domain) != nil || !i.key.PublicKey.Equal(c.PublicKey) ||
		certs.Due(c, time.Now())
}

// obtain gets a certificate.
func (i *Issuer) obtain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	account := &acme.Account{}
	if i.config.Email != "" {
		account.Contact = []string{"mailto:" + i.config.Email}
	}
	if _, err := i.client.Register(ctx, account, acme.AcceptTOS); err != nil &&
		!errors.Is(err, acme.ErrAccountAlreadyExists) {
		return fmt.Errorf("account at %s: %w", i.config.Directory, err)
	}
	order, err := i.client.AuthorizeOrder(ctx, acme.DomainIDs(i.config.Domain))
	if err != nil {
		return fmt.Errorf("order: %w", err)
	}
	for _, address := range order.AuthzURLs {
		if err := i.authorize(ctx, address); err != nil {
			return err
		}
	}
	at := order.URI
	if order, err = i.client.WaitOrder(ctx, at); err != nil {
		return fmt.Errorf("order: %w", err)
	}
	request := &x509.CertificateRequest{DNSNames: []string{i.config.Domain}}
	signed, err := x509.CreateCertificateRequest(rand.Reader, request, i.key)
	if err != nil {
		return err
	}
	chain, _, err := i.client.CreateOrderCert(ctx, order.FinalizeURL, signed, true)
	if err != nil {
		chain, err = i.fetch(ctx, at, err)
	}
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if err := certs.StoreLeaf(i.config.Folder, chain); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c := certs.ReadLeaf(i.config.Folder)
	if c == nil || i.due() {
		return errors.New("certificate: what the authority has issued is not what was ordered")
	}
	i.config.Log.Info("got the certificate", "name", i.config.Domain, "until", c.NotAfter.Format(time.DateOnly))
	return nil
}

// fetch gets the certificate of an order that was sent off with an error: the library loses the address of the order if
// the answer does not repeat it, which an authority need not do (RFC 8555, 7.4).
func (i *Issuer) fetch(ctx context.Context, at string, failed error) (chain [][]byte, err error) {
	var refused *acme.Error
	if errors.As(failed, &refused) {
		return nil, failed
	}
	order, err := i.client.WaitOrder(ctx, at)
	if err != nil || order.CertURL == "" {
		return nil, errors.Join(failed, err)
	}
	return i.client.FetchCert(ctx, order.CertURL, true)
}
