// Package state handles data that survives a restart: it picks the folder where a robot keeps it, makes
// sure that only one process at a time uses it, and replaces files so that nobody sees half of one.
//
// A [Lock] is the kernel's (flock): it ends with its process, however that ends, so nothing has to be
// cleaned up after a crash. It is safe for concurrent use.
package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// retryEvery is how often a held lock is retried.
const retryEvery = 20 * time.Millisecond

// Folder is where a robot keeps data that survives a restart: as configured, or else as given by
// systemd, XDG or the home folder, in this order.
func Folder(configured string, environ func(string) string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	if given, _, _ := strings.Cut(environ("STATE_DIRECTORY"), ":"); given != "" {
		return given, nil
	}
	base := environ("XDG_STATE_HOME")
	if home := environ("HOME"); base == "" && home != "" {
		base = filepath.Join(home, ".local", "state")
	}
	if base == "" {
		return "", errors.New("none of STATE_DIRECTORY, XDG_STATE_HOME and HOME is set")
	}
	return filepath.Join(base, "waldo"), nil
}

// HeldError means that another process holds the lock.
type HeldError struct {
	// PID is the process; 0 if unknown.
	PID int
}

// Error implements error.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "another process holds it"
	}
	return fmt.Sprintf("process %d holds it", e.PID)
}

// Lock is held until Release, or the end of the process.
type Lock struct{ file *os.File }

// Take takes the lock of a file, which it creates if necessary and which stays. While another process
// holds the lock it keeps trying for the duration wait, and then fails with a [*HeldError].
func Take(path string, wait time.Duration) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	_ = Inherit(path) // without it only root can take the lock again, which says so
	for end := time.Now().Add(wait); ; time.Sleep(retryEvery) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || !time.Now().Before(end) {
			break
		}
	}
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = &HeldError{PID: readPID(f)}
	case err != nil:
		err = fmt.Errorf("lock %s: %w", path, err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	writePID(f)
	return &Lock{f}, nil
}

// Release releases the lock.
func (l *Lock) Release() { _ = l.file.Close() } // the lock goes with it in any case

// longestPID bounds how much of a lock's file is read.
const longestPID = 20

func readPID(f *os.File) int {
	text, err := io.ReadAll(io.LimitReader(f, longestPID))
	pid, err2 := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || err2 != nil || pid < 0 {
		return 0
	}
	return pid
}

// writePID is for [HeldError], which can do without: the lock works on a full disk too.
func writePID(f *os.File) {
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintln(f, os.Getpid())
	}
}
