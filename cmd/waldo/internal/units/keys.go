package units

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/state"
)

const (
	// credentialFolder has what units get as credentials, each its own: <name>.seed, the key of a process on the bus, and
	// <name>.token, by which a device checks what its callers present.
	credentialFolder = "/etc/waldo/credentials"
	// keysFile has the public keys, with what the holder of each may do. The bus reads it.
	keysFile = "/etc/waldo/bus-keys.json"

	seedSuffix, tokenSuffix = ".seed", ".token"
)

// issue makes what the processes of a robot prove themselves by. Keys that there are stay, so it can be repeated while
// the robot runs. Only root can read the folder; systemd hands each unit its own.
func (i *Installation) issue(r *robot.Robot) error {
	wanted := map[string][]byte{}
	token, err := i.token()
	if err != nil {
		return err
	}
	for n := range r.Devices {
		if given := deviceToken(r, &r.Devices[n], token); given != "" {
			wanted[r.Devices[n].Name+tokenSuffix] = []byte(given + "\n")
		}
	}
	known := permissions.Keys{}
	for name, may := range holders(r) {
		seed, err := i.seed(name)
		if err != nil {
			return err
		}
		wanted[name+seedSuffix] = append(slices.Clone(seed.Text()), '\n')
		known[seed.Public()] = permissions.Holder{Name: r.Name + "/" + name, Permissions: may}
	}
	return errors.Join(i.private(wanted), i.publish(known))
}

// holders are the units that have a key, with what each may do: none if the robot uses a bus that is not its own.
func holders(r *robot.Robot) map[string]permissions.Permissions {
	if r.NATS.URL != "" {
		return nil
	}
	all := permissions.Processes(r)
	delete(all, permissions.LauncherName) // the bus speaks for the robot, and has a key from the beginning
	return all
}

// deviceToken is what a device checks tokens by: the verifier, if it has a key of its own on the bus.
func deviceToken(r *robot.Robot, d *robot.Device, token string) string {
	if r.NATS.URL == "" && permissions.Confined(d) {
		return access.Verifier(token)
	}
	return token
}

// seed returns the seed of a unit, and makes it if there is none, or none that can be used.
func (i *Installation) seed(name string) (*keys.Seed, error) {
	s, err := keys.Read(i.host(path.Join(credentialFolder, name+seedSuffix)))
	if err == nil {
		return s, nil
	}
	return keys.New()
}

// private makes the files of the credential folder what they should be, and removes others.
func (i *Installation) private(wanted map[string][]byte) error {
	folder := i.host(credentialFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		file := filepath.Join(folder, name)
		if now, err := os.ReadFile(file); err == nil && string(now) == string(wanted[name]) {
			errs = append(errs, os.Chmod(file, 0o600))
			continue
		}
		errs = append(errs, state.Replace(file, wanted[name], 0o600))
	}
	for _, suffix := range []string{seedSuffix, tokenSuffix} {
		found, _ := filepath.Glob(filepath.Join(folder, "*"+suffix)) // the pattern is valid
		for _, file := range found {
			if wanted[filepath.Base(file)] == nil {
				errs = append(errs, os.Remove(file))
			}
		}
	}
	return errors.Join(errs...)
}

// publish writes the file of public keys.
func (i *Installation) publish(known permissions.Keys) error {
	data, err := known.Encode()
	if err != nil {
		return err
	}
	if now, err := os.ReadFile(i.host(keysFile)); err == nil && string(now) == string(data) {
		return nil
	}
	return state.Replace(i.host(keysFile), data, 0o644)
}

// withdraw removes what issue has written.
func (i *Installation) withdraw() error {
	if _, err := os.Stat(i.host(credentialFolder)); errors.Is(err, fs.ErrNotExist) {
		return i.remove([]string{keysFile})
	}
	err := errors.Join(i.private(nil), i.remove([]string{keysFile}))
	_ = os.Remove(i.host(credentialFolder)) // not empty: others have files there
	return err
}

// proofs is what makes a unit start again when it differs: another token or key, as issue has made them. A token that
// could be guessed from this is not in it.
func (i *Installation) proofs(name string) string {
	token, _ := i.token() // issue has reported what is wrong with it
	switch {
	case token == "":
		token = "none"
	case len(token) < access.MinToken:
		token = "short"
	default:
		token = access.Verifier(token)
	}
	public := "none"
	if seed, err := keys.Read(i.host(path.Join(credentialFolder, name+seedSuffix))); err == nil {
		public = seed.Public()
	}
	return fmt.Sprintf(" key %s token %s", public, token)
}
