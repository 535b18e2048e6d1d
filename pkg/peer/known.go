package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxKnown bounds the file of known robots in bytes.
const maxKnown = 1 << 20

// knownPath is the file of known robots that the options name, or the usual one.
func knownPath(o Options) (string, error) {
	if o.Known != "" {
		return o.Known, nil
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("known robots: %w: set Options.Known", err)
	}
	return filepath.Join(folder, "waldo", "known_robots"), nil
}

// readKnown reads the file: a line for each robot, its address and the fingerprint of its key. A file that does not
// exist is empty. Lines that are something else are kept, but mean nothing.
func readKnown(path string) (lines []string, keys map[string]string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("known robots: %w", err)
	}
	defer func() { _ = f.Close() }()
	keys = make(map[string]string)
	s := bufio.NewScanner(io.LimitReader(f, maxKnown))
	for s.Scan() {
		lines = append(lines, s.Text())
		if fields := strings.Fields(s.Text()); len(fields) == 2 && keyFingerprint.MatchString(fields[1]) {
			keys[fields[0]] = fields[1]
		}
	}
	if err := s.Err(); err != nil {
		return nil, nil, fmt.Errorf("known robots: %s: %w", path, err)
	}
	return lines, keys, nil
}

// remember adds a robot to the file, or replaces its key. Nobody sees half of the file.
func remember(path, base, key string) error {
	lines, keys, err := readKnown(path)
	if err != nil || keys[base] == key {
		return err
	}
	var text strings.Builder
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) != 2 || fields[0] != base {
			text.WriteString(line + "\n")
		}
	}
	text.WriteString(base + " " + key + "\n")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("known robots: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".known-") // mode 0600
	if err != nil {
		return fmt.Errorf("known robots: %w", err)
	}
	_, err = f.WriteString(text.String())
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("known robots: %w", err)
	}
	return nil
}
