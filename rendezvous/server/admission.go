package server

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// fingerprintSize is that of a key's fingerprint in bytes.
const fingerprintSize = 32

func isFingerprint(s string) bool {
	data, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(data) == fingerprintSize
}

// Keys are the robots that may register: the names allowed to each fingerprint, none for any name.
type Keys map[string][]string

// ReadKeys reads a file of allowed keys, see [ParseKeys].
func ReadKeys(path string) (Keys, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := ParseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// ParseKeys reads a list of allowed keys: in each line the fingerprint of a key and, if the robot may not have any
// name, the names that it may have. Empty lines, and what follows a #, are ignored.
func ParseKeys(data []byte) (Keys, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("the list has more than %d bytes", maxFile)
	}
	keys := Keys{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if !isFingerprint(words[0]) {
			return nil, fmt.Errorf("line %d: %.64q is not the fingerprint of a key, which has 43 characters: the robot's "+
				"gateway logs its own", n, words[0])
		}
		for _, name := range words[1:] {
			if err := robot.CheckName(name); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		if _, twice := keys[words[0]]; twice {
			return nil, fmt.Errorf("line %d: the key %s is listed twice: put all its names into one line", n, words[0])
		}
		keys[words[0]] = words[1:]
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in it, so no robot could register")
	}
	return keys, nil
}

// check returns why a robot may not register.
func (k Keys) check(name, fingerprint string) error {
	names, ok := k[fingerprint]
	switch {
	case !ok:
		return fmt.Errorf("the key %s is not in the server's list of keys: add it there", fingerprint)
	case len(names) > 0 && !slices.Contains(names, name):
		return fmt.Errorf("the key %s may have the name %s only, by the server's list of keys", fingerprint,
			strings.Join(names, " or "))
	}
	return nil
}
