package robot

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// LoadSection reads another file than robot.yaml that is as strict: all of it is one section. Kind is what the file
// describes, as in "hub" for a hub.yaml, and begin how such a file begins, for errors.
func LoadSection(path, kind, begin string) (*Section, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s file: %w", kind, err)
	}
	return ParseSection(path, data, kind, begin)
}

// ParseSection is [LoadSection] for a text.
func ParseSection(name string, data []byte, kind, begin string) (*Section, error) {
	root, err := readYAML(name, data, form{kind + ".yaml", kind, begin})
	if err != nil {
		return nil, err
	}
	d := decoder{file: name}
	d.plain(root, "")
	return &Section{file: name, node: root}, errors.Join(d.errs...)
}

// readFile reads a file that is bounded.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read: nothing can be lost
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}
