package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/state"
)

const (
	// maxNames bounds the robots that are remembered, and maxFile the file in bytes.
	maxNames = 10_000
	maxFile  = 4 << 20
	// lockPatience is how long a process waits for another that changes the file.
	lockPatience = 2 * time.Second
)

// ErrUnknown says that no robot of a name is remembered.
var ErrUnknown = errors.New("is not remembered")

// file is the content of the state file.
type file struct {
	// Robots are the fingerprints of the robots' keys, by name.
	Robots map[string]string `json:"robots"`
}

// parseFile reads the content of a state file.
func parseFile(data []byte) (map[string]string, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if len(f.Robots) > maxNames {
		return nil, fmt.Errorf("robots: there are %d, the limit is %d", len(f.Robots), maxNames)
	}
	for name, fingerprint := range f.Robots {
		if err := robot.CheckName(name); err != nil {
			return nil, fmt.Errorf("robots: %w", err)
		}
		if !isFingerprint(fingerprint) {
			return nil, fmt.Errorf("robots.%s: %.64q is not the fingerprint of a key", name, fingerprint)
		}
	}
	if f.Robots == nil {
		f.Robots = map[string]string{}
	}
	return f.Robots, nil
}

// names remembers whose key a name belongs to. Changes to the file by others are noticed.
type names struct {
	path string // empty: nothing is kept

	mu     sync.Mutex
	robots map[string]string
	read   os.FileInfo // of the file as it was read; nil: there was none
}

func newNames(path string) (*names, error) {
	n := &names{path: path, robots: map[string]string{}}
	if path == "" {
		return n, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return n, n.refresh()
}

// refresh reads the file if it has changed. It is called with mu held, or before anybody else can call.
func (n *names) refresh() error {
	info, err := os.Stat(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		if n.read != nil {
			n.robots, n.read = map[string]string{}, nil
		}
		return nil
	}
	if err != nil {
		return err
	}
	if n.read != nil && os.SameFile(info, n.read) && info.ModTime().Equal(n.read.ModTime()) &&
		info.Size() == n.read.Size() {
		return nil
	}
	if info.Size() > maxFile {
		return fmt.Errorf("%s has more than %d bytes", n.path, maxFile)
	}
	data, err := os.ReadFile(n.path)
	if err != nil {
		return err
	}
	robots, err := parseFile(data)
	if err != nil {
		return fmt.Errorf("%s: %w: mend the file, or delete it: robots then register again", n.path, err)
	}
	n.robots, n.read = robots, info
	return nil
}

// knows reports whether a robot of the name is remembered.
func (n *names) knows(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.path != "" {
		_ = n.refresh() // what was read before holds
	}
	return n.robots[name] != ""
}

// TakenError says that a name belongs to another key.
type TakenError struct{ Robot, Fingerprint string }

// Error implements error.
func (e *TakenError) Error() string {
	return fmt.Sprintf("another robot has the name %s here, with the key %s: give this robot another name, or, if that key "+
		"is lost, run on the server: waldo rendezvous forget %s", e.Robot, e.Fingerprint, e.Robot)
}

// claim gives the name to the key, unless it belongs to another one, which is a [*TakenError]. The name is the key's
// also if the file cannot be written; then stored is the reason.
func (n *names) claim(name, fingerprint string) (err, stored error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.path == "" {
		return n.check(name, fingerprint), nil
	}
	if n.robots[name] == fingerprint && n.refresh() == nil && n.robots[name] == fingerprint {
		return nil, nil // the usual case takes no lock
	}
	lock, stored := state.Take(n.path+".lock", lockPatience)
	if stored != nil {
		return n.check(name, fingerprint), stored
	}
	defer lock.Release()
	if stored = n.refresh(); stored != nil {
		return n.check(name, fingerprint), stored
	}
	if err := n.check(name, fingerprint); err != nil {
		return err, nil
	}
	return nil, n.write(n.robots)
}

// check gives the name to the key in memory.
func (n *names) check(name, fingerprint string) error {
	switch owner := n.robots[name]; {
	case owner == fingerprint:
	case owner != "":
		return &TakenError{name, owner}
	case len(n.robots) >= maxNames:
		return fmt.Errorf("the server remembers %d robots, which is its limit: forget some (waldo rendezvous forget)",
			maxNames)
	default:
		n.robots[name] = fingerprint
	}
	return nil
}

// write replaces the file, at once or not at all.
func (n *names) write(robots map[string]string) error {
	data, err := json.MarshalIndent(file{robots}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(n.path), ".rendezvous-") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone if all went well
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), n.path); err != nil {
		return err
	}
	n.read, err = os.Stat(n.path)
	return err
}

// Forget removes a robot from a state file, so that the next robot of this name may have another key. A running server
// notices. The error is [ErrUnknown] if the file does not have the robot.
func Forget(path, name string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	lock, err := state.Take(path+".lock", lockPatience)
	if err != nil {
		return err
	}
	defer lock.Release()
	n, err := newNames(path)
	if err != nil {
		return err
	}
	if n.robots[name] == "" {
		return fmt.Errorf("robot %.64q %w in %s", name, ErrUnknown, path)
	}
	robots := maps.Clone(n.robots)
	delete(robots, name)
	return n.write(robots)
}
