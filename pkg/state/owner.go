package state

import (
	"os"
	"path/filepath"
	"syscall"
)

// MakeFolder makes a folder and those above it that are missing. One that root makes belongs to the owner of the folder
// it is in, see [Inherit].
func MakeFolder(path string, mode os.FileMode) error {
	if about, err := os.Stat(path); err == nil && about.IsDir() {
		return nil
	}
	if parent := filepath.Dir(path); parent != path {
		if err := MakeFolder(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, mode); err != nil {
		if about, failed := os.Stat(path); failed == nil && about.IsDir() {
			return nil // another process was faster
		}
		return err
	}
	return Inherit(path)
}

// Inherit gives a file or folder that root has made to the owner of the folder it is in: the robot's own processes use
// it, and they are not root. For all others it does nothing.
func Inherit(path string) error {
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
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}
