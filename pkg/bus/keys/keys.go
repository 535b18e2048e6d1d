// Package keys holds the secrets by which the processes of a robot prove on the bus who they are.
//
// A [Seed] is made by who starts a process, the launcher or `waldo install`, and handed to that process alone. The NATS
// server knows its public key, and what the holder may publish and subscribe (package permissions). The process signs a
// number that the server has just drawn, so nothing that travels can be used again.
//
// Everything here is safe for concurrent use.
package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nkeys"
)

const (
	// HandedFD is the environment variable by which a launcher hands a process its seed: the number of an open file
	// descriptor, which is closed once it has been read, so that nothing the process starts can read it.
	HandedFD = "WALDO_BUS_SEED_FD"
	// credential is the name of the seed among the credentials that systemd hands to a unit.
	credential = "bus.seed"
	// maxFile bounds a file with a seed, in bytes.
	maxFile = 1024
)

// Seed is the secret of one process.
type Seed struct {
	pair   nkeys.KeyPair
	public string
	text   []byte
}

// New makes a seed.
func New() (*Seed, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("make a key for the bus: %w", err)
	}
	text, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("make a key for the bus: %w", err)
	}
	return Parse(text)
}

// errNoSeed does not repeat the text, which may be another secret.
var errNoSeed = errors.New("is not the seed of a key for the bus: it is one line that begins with SU")

// Parse reads a seed, which may have white space around it. The error does not repeat it.
func Parse(data []byte) (*Seed, error) {
	text := bytes.Clone(bytes.TrimSpace(data))
	pair, err := nkeys.FromSeed(text)
	if err != nil {
		return nil, errNoSeed
	}
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return nil, errNoSeed
	}
	return &Seed{pair: pair, public: public, text: text}, nil
}

// Read reads a file with a seed. One that every user of the machine can read is refused.
func Read(path string) (*Seed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("seed for the bus: %w", err)
	}
	return read(f, path)
}

// read reads and closes a file.
func read(f *os.File, name string) (*Seed, error) {
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("seed for the bus: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("seed for the bus: %s: every user of this machine can read it: chmod 600 it, and have new "+
			"seeds made", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("seed for the bus: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("seed for the bus: %s: %w", name, errNoSeed)
	}
	s, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("seed for the bus: %s: %w", name, err)
	}
	return s, nil
}

// Handed returns the seed that this process was given: by a launcher, in the file that was named, or among the
// credentials of its unit, whichever comes first; nil if it was given none, or an empty credential. It is for use once:
// what a launcher hands over can be read once.
func Handed(file string, environ func(string) string) (*Seed, error) {
	if given := environ(HandedFD); given != "" {
		return fromFD(given)
	}
	if file != "" {
		return Read(file)
	}
	folder := environ("CREDENTIALS_DIRECTORY")
	if folder == "" {
		return nil, nil
	}
	path := filepath.Join(folder, credential)
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() <= int64(len("\r\n")) {
		return nil, nil
	}
	return Read(path)
}

func fromFD(given string) (*Seed, error) {
	fd, err := strconv.ParseUint(given, 10, 16)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s: %.20q is not the number of a file descriptor: leave it to waldo up", HandedFD, given)
	}
	f := os.NewFile(uintptr(fd), HandedFD)
	if f == nil {
		return nil, fmt.Errorf("%s: %d is not open: leave it to waldo up", HandedFD, fd)
	}
	return read(f, HandedFD)
}

// Public returns the public key, by which the server knows the holder.
func (s *Seed) Public() string { return s.public }

// Text returns the secret, for the file or process that it is meant for. The caller must not change it.
func (s *Seed) Text() []byte { return s.text }

// String does not show the secret.
func (s *Seed) String() string { return "the seed of " + s.public }

// GoString does not show the secret.
func (s *Seed) GoString() string { return s.String() }

// Sign returns the signature of what a server has drawn.
func (s *Seed) Sign(nonce []byte) ([]byte, error) {
	signature, err := s.pair.Sign(nonce)
	if err != nil {
		return nil, fmt.Errorf("sign for the bus: %w", err)
	}
	return signature, nil
}

// Verify reports whether the holder of a public key has signed a nonce. The signature is in base64, as NATS sends it.
func Verify(public, signature string, nonce []byte) bool {
	if !nkeys.IsValidPublicUserKey(public) || len(nonce) == 0 {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		if raw, err = base64.StdEncoding.DecodeString(signature); err != nil {
			return false
		}
	}
	key, err := nkeys.FromPublicKey(public)
	return err == nil && key.Verify(nonce, raw) == nil
}

// IsPublic reports whether a text is a public key.
func IsPublic(text string) bool { return nkeys.IsValidPublicUserKey(text) }
