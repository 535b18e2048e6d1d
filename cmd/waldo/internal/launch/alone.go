package launch

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/waldo-robot/waldo/pkg/state"
)

// ErrRunning is wrapped by errors that report that the robot is running already.
var ErrRunning = errors.New("this robot is already running")

// claim makes this process the only launcher of the robot on its bus, on this machine. Release must be
// called in any case.
func (p *Plan) claim() (release func(), err error) {
	release = func() {}
	folder, err := state.Folder("", os.Getenv)
	if err != nil || p.natsURL() == "" && strings.HasSuffix(p.natsListen(), ":0") {
		return release, nil // nothing is stored, or no bus is shared
	}
	folder = filepath.Join(folder, p.robot.Name)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return release, nil // a device that needs the folder reports that itself
	}
	busAddress := sha256.Sum256([]byte(cmp.Or(p.natsURL(), "nats://"+p.natsListen())))
	lock, err := state.Take(filepath.Join(folder, fmt.Sprintf("up-%x.lock", busAddress[:8])), 0)
	if held := new(state.HeldError); errors.As(err, &held) {
		return release, fmt.Errorf("%s: robot: %w: `waldo up` of %s is process %d: stop it first, or give this "+
			"robot another name",
			p.robot.File, ErrRunning, p.robot.Name, held.PID)
	}
	if err != nil {
		return release, nil // no locks on this system
	}
	return lock.Release, nil
}
