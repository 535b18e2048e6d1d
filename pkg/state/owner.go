package state

import (
	"os"
	"path/filepath"
	"syscall"
)

// inherit gives a file that root writes to the owner of its folder: the robot's own processes read it, and they are not
// root. For all others it does nothing.
func inherit(f *os.File, path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	about, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	owner, ok := about.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
