package tokens

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// version is that of the file's format.
	version = 1
	// maxFile bounds the file in bytes, maxTokens how many tokens it has.
	maxFile   = 4 << 20
	maxTokens = 5000
	// maxName bounds a name in bytes, as that of the holder of a lease.
	maxName = 64
	// keepEnded is how long a token that has ended stays listed.
	keepEnded = 90 * 24 * time.Hour
	// lockWait is how long a change waits for another one.
	lockWait = 5 * time.Second
	// mode lets the robot's group read it: there is no secret in it.
	mode = 0o640
)

// Token is a token as the store keeps it: without its secret.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Robot   string    `json:"robot,omitempty"`
	Device  string    `json:"device,omitempty"`
	SHA256  string    `json:"sha256"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// Ended returns why the token is no longer good at a time, as an error of [Store.Check]; nil if it is.
func (t Token) Ended(now time.Time) error {
	switch {
	case !t.Revoked.IsZero():
		return ErrRevoked
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return ErrExpired
	}
	return nil
}

// grant returns what a checked token gives.
func (t Token) grant() Grant {
	role, _ := roles.Parse(t.Role) // checked when the file was read
	return Grant{ID: t.ID, Name: t.Name, Role: role, Robot: t.Robot, Device: t.Device, Expires: t.Expires}
}

// check returns what is wrong with a token.
func (t Token) check() error {
	role, err := roles.Parse(t.Role)
	sum, hexErr := hex.DecodeString(t.SHA256)
	switch {
	case !isID(t.ID):
		return fmt.Errorf("id: %.20q is none", t.ID)
	case err != nil:
		return fmt.Errorf("role: %w", err)
	case hexErr != nil || len(sum) != 32 || hex.EncodeToString(sum) != t.SHA256:
		return errors.New("sha256: has to be 64 digits, 0 to 9 and a to f")
	}
	return errors.Join(checkName(t.Name), checkScope(role, t.Robot, t.Device))
}

func checkName(name string) error {
	if n := len(name); n < 1 || n > maxName || !text.IsPrintable(name) {
		return fmt.Errorf("name: %.80q: use 1 to %d bytes, all of them printable", name, maxName)
	}
	if name == SharedName {
		return fmt.Errorf("name: %q is what the shared token is called: use another one", name)
	}
	return nil
}

// checkScope checks the robot and device that a token is for.
func checkScope(role roles.Role, robotName, device string) error {
	if robotName != "" {
		if err := robot.CheckName(robotName); err != nil {
			return fmt.Errorf("robot: %w", err)
		}
	}
	if (role == roles.Service) != (device != "") {
		return fmt.Errorf("device: the role %s is for one device, and others are for all of them: name a device exactly for "+
			"a service", roles.Service)
	}
	if device != "" {
		if err := robot.CheckDeviceName(device); err != nil {
			return fmt.Errorf("device: %w", err)
		}
	}
	return nil
}

// content is the file.
type content struct {
	Version int     `json:"version"`
	Tokens  []Token `json:"tokens"`
}

// decode reads the text of a file. Fields that it does not know make it fail: they may say that a token is good for
// less than it seems.
func decode(data []byte) (content, error) {
	var c content
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return content{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return content{}, errors.New("more follows after its end")
	}
	if c.Version != version {
		return content{}, fmt.Errorf("version: %d is not supported: this program writes %d", c.Version, version)
	}
	if len(c.Tokens) > maxTokens {
		return content{}, fmt.Errorf("tokens: has %d: at most %d are allowed", len(c.Tokens), maxTokens)
	}
	known := make(map[string]bool, len(c.Tokens))
	for i, t := range c.Tokens {
		if err := t.check(); err != nil {
			return content{}, fmt.Errorf("tokens[%d].%w", i, err)
		}
		if known[t.ID] {
			return content{}, fmt.Errorf("tokens[%d].id: %s is there twice", i, t.ID)
		}
		known[t.ID] = true
	}
	return c, nil
}

// read reads a file; a missing one has no tokens.
func read(path string) (content, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return content{Version: version}, nil
	}
	if err != nil {
		return content{}, broken(path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return content{}, broken(path, err)
	case len(data) > maxFile:
		return content{}, broken(path, fmt.Errorf("has more than %d bytes", maxFile))
	}
	c, err := decode(data)
	if err != nil {
		return content{}, broken(path, err)
	}
	return c, nil
}

// broken is the error of a file that cannot be used.
func broken(path string, err error) error {
	return fmt.Errorf("%w: %s: %w: restore the file, or remove it and make new tokens", ErrBroken, path, err)
}

// change changes a file, which it makes if there is none.
func change(path string, f func(*content) error) error {
	if err := state.MakeFolder(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("the folder of the tokens cannot be made: %w", state.Explain(path, err))
	}
	lock, err := state.Take(path+".lock", lockWait)
	var held *state.HeldError
	switch {
	case errors.As(err, &held):
		return fmt.Errorf("the tokens in %s are being changed: %w", path, err)
	case err != nil:
		return fmt.Errorf("the tokens in %s cannot be changed: %w", path, state.Explain(path, err))
	}
	defer lock.Release()
	c, err := read(path)
	if err != nil {
		return err
	}
	if err := f(&c); err != nil {
		return err
	}
	c.Version = version
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := state.Replace(path, append(data, '\n'), mode); err != nil {
		return fmt.Errorf("the tokens in %s cannot be changed: %w", path, state.Explain(path, err))
	}
	return nil
}
