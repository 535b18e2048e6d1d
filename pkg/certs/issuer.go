package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/pkg/version"
)

// lookEvery is how often an issuer looks at the addresses of the machine and at the clock.
const lookEvery = 5 * time.Second

// IssuerConfig says for whom certificates are issued. Folder and Robot are required.
type IssuerConfig struct {
	// Folder holds the authority and the leaf, see [Folder].
	Folder string
	// Robot is its name.
	Robot string
	// Names are further ones by which it is reached, beside those that [NamesOf] returns in any case.
	Names []string
	// Log may be nil.
	Log *slog.Logger

	// addresses, clock and write are replaced by tests.
	addresses func() ([]net.Addr, error)
	clock     func() time.Time
	write     func(path string, leaf *x509.Certificate) error
}

// Issuer keeps the leaf of a robot up to date.
type Issuer struct {
	config IssuerConfig
	names  []string
	told   string // the last trouble that was logged

	cancel context.CancelFunc
	owned  sync.WaitGroup
}

// StartIssuer makes what is missing in the folder, and returns when there is a leaf for the names and addresses of now.
// If one cannot be stored, as on a full disk, the leaf of before stays in use.
func StartIssuer(c IssuerConfig) (*Issuer, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.addresses == nil {
		c.addresses = net.InterfaceAddrs
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.write == nil {
		c.write = writeCertificate
	}
	i := &Issuer{config: c, names: NamesOf(c.Robot, c.Names)}
	a, err := i.look()
	if a == nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	i.tell(err)
	if _, others := a.permitted(Names{DNS: constraints(i.names)}); len(others) > 0 {
		c.Log.Warn("the robot's certificate authority was made before it had these names, and does not permit them: make a "+
			"new one with `waldo trust --new`, which everybody then has to trust", "names", strings.Join(others, ", "))
	}
	if wide := TooWide(a.certificate); len(wide) > 0 {
		c.Log.Warn("the robot's certificate authority is of an older version and could issue certificates for sites of the "+
			"internet: make a new one with `waldo trust --new`, and remove the old one wherever it is trusted", "names",
			strings.Join(wide, ", "))
	}
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	i.owned.Go(func() { i.watch(ctx) })
	return i, nil
}

// Close ends the issuer. The files stay.
func (i *Issuer) Close() {
	i.cancel()
	i.owned.Wait()
}

func (i *Issuer) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := i.look()
		i.tell(err)
	}
}

// tell logs what keeps a leaf from being issued, once; nil is the end of it.
func (i *Issuer) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != i.told && text != "" {
		i.config.Log.Warn("the robot's certificate cannot be renewed, and the old one stays in use", "error", text)
	}
	i.told = text
}

// look issues a leaf if there is none that will do. It returns the authority with the error if one of before is left
// to be used. The files are read each time: `waldo trust --new` replaces them.
func (i *Issuer) look() (*Authority, error) {
	a, err := OpenAuthority(i.config.Folder, i.config.Robot, i.names)
	if err != nil {
		return nil, err
	}
	key, err := LeafKey(i.config.Folder)
	if err != nil {
		return nil, err
	}
	interfaces, err := i.config.addresses()
	if err != nil {
		return nil, err
	}
	wanted, _ := a.permitted(Names{DNS: i.names, IPs: addressesOf(interfaces)})
	present := presentLeaf(i.config.Folder, a, key)
	clock := i.config.clock()
	if present != nil && covers(present, wanted) && !Due(present, clock) {
		return a, nil
	}
	leaf, err := a.issue(wanted, key, issuedAt(present, clock))
	if err != nil {
		return nil, err
	}
	if err := i.config.write(filepath.Join(i.config.Folder, leafFile), leaf); err != nil {
		if present == nil {
			return nil, err
		}
		return a, err
	}
	i.config.Log.Info("issued the robot's certificate", "names", Listed(leaf), "until",
		leaf.NotAfter.Format(time.DateOnly))
	return a, nil
}

// LeafKey reads the key of the leaf in a folder, or makes one.
func LeafKey(folder string) (*ecdsa.PrivateKey, error) {
	if err := makeFolders(folder); err != nil {
		return nil, err
	}
	return OpenKey(filepath.Join(folder, leafKey))
}

// OpenKey reads a key (ECDSA on P-256) from a PEM file, or makes one. Two processes that make it at the same time get
// the same one.
func OpenKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := readKey(path)
	switch {
	case err == nil:
		return key, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: delete it, and another is made", err)
	}
	folder := filepath.Dir(path)
	if err := state.MakeFolder(folder, 0o700); err != nil {
		return nil, err
	}
	lock, err := state.Take(filepath.Join(folder, lockFile), patience)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if key, err = readKey(path); !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	return key, writeKey(path, key)
}

// ReadLeaf returns the leaf in a folder; nil if there is none that can be read.
func ReadLeaf(folder string) *x509.Certificate {
	data, err := readFile(filepath.Join(folder, leafFile))
	if err != nil {
		return nil
	}
	chain, err := parseChain(data)
	if err != nil {
		return nil
	}
	return chain[0]
}

// presentLeaf returns the leaf that is there; nil if there is none of this authority and key.
func presentLeaf(folder string, a *Authority, key *ecdsa.PrivateKey) *x509.Certificate {
	leaf := ReadLeaf(folder)
	if leaf == nil || leaf.CheckSignatureFrom(a.certificate) != nil || !key.PublicKey.Equal(leaf.PublicKey) {
		return nil
	}
	return leaf
}

// StoreLeaf stores a leaf of another authority, with those above it, for the key that [LeafKey] returns. All are DER.
func StoreLeaf(folder string, chain [][]byte) error {
	var data []byte
	for _, der := range chain {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: der})...)
	}
	if _, err := parseChain(data); err != nil {
		return fmt.Errorf("the answer %w", err)
	}
	return state.Replace(filepath.Join(folder, leafFile), data, 0o644)
}

// Due reports whether a leaf has to be replaced because of the time: less than a third of its life is left, or it was
// issued while the clock was ahead. A clock that shows a day before this version was made says nothing.
func Due(c *x509.Certificate, clock time.Time) bool {
	if clock.Before(version.Day) {
		return false
	}
	return clock.Before(c.NotBefore) || clock.After(c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore)/3))
}

// issuedAt returns the time that a leaf is issued at. If the clock says nothing, that is when the present one was.
func issuedAt(present *x509.Certificate, clock time.Time) time.Time {
	if !clock.Before(version.Day) {
		return clock
	}
	if present == nil {
		return version.Day
	}
	return notBefore(present.NotBefore.Add(day), version.Day)
}
