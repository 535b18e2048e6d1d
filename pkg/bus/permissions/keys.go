package permissions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/text"
)

// Bounds of a file of keys.
const (
	maxFile     = 8 << 20 // bytes
	maxKeys     = 1024
	maxSubjects = 4096 // of one list
	maxSubject  = 512  // bytes
	maxHolder   = 160  // bytes
)

// Holder is who has a key, and what they may do.
type Holder struct {
	// Name is the holder's, as people write it: rover/front.
	Name string `json:"name"`
	Permissions
}

// Keys are the holders of the keys that a server knows, by public key.
type Keys map[string]Holder

// Encode returns the keys as a file for [ParseKeys]. There is no secret in it.
func (k Keys) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(struct {
		Keys Keys `json:"keys"`
	}{k}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("keys for the bus: %w", err)
	}
	return append(data, '\n'), nil
}

// ReadKeys reads a file of keys.
func ReadKeys(path string) (Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keys for the bus: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("keys for the bus: %w", err)
	}
	k, err := ParseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("keys for the bus: %s: %w: have waldo install write it again", path, err)
	}
	return k, nil
}

// ParseKeys reads and checks the content of a file of keys. What it does not know is an error: it may be a restriction.
func ParseKeys(data []byte) (Keys, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("is larger than %d MiB", maxFile>>20)
	}
	var file struct {
		Keys Keys `json:"keys"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("is not a file of keys: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("is not a file of keys: something follows it")
	}
	if len(file.Keys) > maxKeys {
		return nil, fmt.Errorf("keys: has %d: at most %d can be used", len(file.Keys), maxKeys)
	}
	for public, h := range file.Keys {
		if !keys.IsPublic(public) {
			return nil, fmt.Errorf("keys: %.60q is not a public key: it has 56 letters and digits, and begins with U", public)
		}
		if err := h.check(); err != nil {
			return nil, fmt.Errorf("keys.%s: %w", public, err)
		}
	}
	return file.Keys, nil
}

func (h Holder) check() error {
	if h.Name == "" || len(h.Name) > maxHolder || !text.IsPrintable(h.Name) {
		return fmt.Errorf("name: %.80q: use 1 to %d bytes of printable text", h.Name, maxHolder)
	}
	for _, list := range []struct {
		key      string
		subjects []string
	}{{"publish", h.Publish}, {"refuse", h.Refuse}, {"subscribe", h.Subscribe}} {
		if len(list.subjects) > maxSubjects {
			return fmt.Errorf("%s: has %d subjects: at most %d can be used", list.key, len(list.subjects), maxSubjects)
		}
		for _, subject := range list.subjects {
			if !isSubject(subject) {
				return fmt.Errorf("%s: %.80q is not a subject of NATS", list.key, subject)
			}
		}
	}
	return nil
}

// isSubject follows the rule of NATS for subjects with wildcards, and refuses white space.
func isSubject(s string) bool {
	if len(s) > maxSubject || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	parts := strings.Split(s, ".")
	for i, part := range parts {
		if part == "" || part == everything && i != len(parts)-1 {
			return false
		}
	}
	return true
}
