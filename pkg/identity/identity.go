// Package identity lets a robot and its peers recognize each other across a server that neither trusts.
//
// A robot has a [Key] for life. Its fingerprint is in the link that people open, or was trusted before. The robot signs
// the DTLS fingerprint of each answer with it, so nobody in between can pose as the robot. A peer shows that it knows
// the robot's token with a proof that is bound to its own DTLS fingerprint ([Prover]), so nobody in between learns the
// token, or can use the proof for a connection of its own. What is signed and proved contains a challenge of the robot,
// new in each session, so nothing can be replayed, and no clock matters.
//
// The texts are those that waldo.signaling.v1 defines, see Offer.proof and Answer.signature.
//
// Everything here is safe for concurrent use and starts no goroutines.
package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	"github.com/waldo-robot/waldo/pkg/state"
)

const (
	// size is that of the numbers r and s of a signature, in bytes.
	size = 32
	// maxKey bounds a public key in bytes; one on P-256 has 91.
	maxKey = 256
	// ChallengeSize is the size of a challenge in bytes.
	ChallengeSize = 16
	pemType       = "PRIVATE KEY"
)

// Key is the key of a robot.
type Key struct {
	private *ecdsa.PrivateKey
	public  []byte
}

// Path is the file of the key of a robot, in the folder where the machine keeps its state, see [state.Folder].
func Path(robot string, environ func(string) string) (string, error) {
	folder, err := state.Folder("", environ)
	return filepath.Join(folder, "identity", robot+".pem"), err
}

// Load reads the key from a file, PEM with PKCS #8, or makes one if there is no such file. Two processes that make it
// at the same time get the same key.
func Load(path string) (*Key, error) {
	k, err := read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = New(); err != nil {
		return nil, err
	}
	if err := k.store(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("the robot's key cannot be stored: %w", err)
	}
	return read(path)
}

func read(path string) (*Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the robot's key cannot be read: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("the robot's key in %s is not a private key in PEM: restore the file, or delete it; "+
			"with a new key, peers and the rendezvous server have to be told to trust the robot again", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("the robot's key in %s is no ECDSA key on P-256", path)
	}
	return newKey(private)
}

// New makes a key that is stored nowhere.
func New() (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return newKey(private)
}

func newKey(private *ecdsa.PrivateKey) (*Key, error) {
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	return &Key{private, public}, err
}

// store writes the key to a file that does not exist yet. Nobody sees half of it.
func (k *Key) store(path string) error {
	data, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = errors.Join(pem.Encode(f, &pem.Block{Type: pemType, Bytes: data}), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// Public returns the public key as a DER SubjectPublicKeyInfo.
func (k *Key) Public() []byte { return k.public }

// Fingerprint returns the fingerprint of the public key.
func (k *Key) Fingerprint() string { return Fingerprint(k.public) }

// Fingerprint returns the fingerprint of a public key: its SHA-256 in base64url without padding, 43 characters.
func Fingerprint(public []byte) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Sign signs lines of text. The signature has 64 bytes, r and s.
func (k *Key) Sign(lines ...string) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest(lines))
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	s.FillBytes(signature[size:])
	return signature, nil
}

// Verify checks a signature of lines of text under a public key.
func Verify(public, signature []byte, lines ...string) error {
	if len(public) > maxKey {
		return fmt.Errorf("the public key has %d bytes, the limit is %d", len(public), maxKey)
	}
	parsed, err := x509.ParsePKIXPublicKey(public)
	key, ok := parsed.(*ecdsa.PublicKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return errors.New("the public key is no ECDSA key on P-256")
	}
	if len(signature) != 2*size {
		return fmt.Errorf("the signature has %d bytes instead of %d", len(signature), 2*size)
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	if !ecdsa.Verify(key, digest(lines), r, s) {
		return errors.New("the signature is not one of this key")
	}
	return nil
}

func digest(lines []string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return sum[:]
}
