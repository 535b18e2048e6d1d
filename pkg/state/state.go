// Package state is about what outlasts a restart: in which folder a robot keeps it, and that one process at a time does.
//
// A [Lock] is the kernel's (flock): it ends with its process, however that ends, so that nothing has to be cleaned up after a crash. It
// is safe for concurrent use.
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

// retryEvery is how often a lock that is held is tried again.
const retryEvery = 20 * time.Millisecond

// Folder is where a robot keeps what outlasts a restart: as configured, or where the system says, in the order of systemd, XDG and the
// home folder.
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
		return "", errors.New("there is neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME")
	}
	return filepath.Join(base, "waldo"), nil
}

// HeldError says that another process has a lock.
type HeldError struct {
	// PID is the process; 0 if it is not known.
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

// Take takes the lock of a file, which it creates if need be, and which stays. It tries for as long as wait while another has it, and then
// fails with a [*HeldError].
func Take(path string, wait time.Duration) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
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

// Release gives the lock up.
func (l *Lock) Release() { _ = l.file.Close() } // the lock goes with it in any case

// longestPID bounds what is read of a lock's file.
const longestPID = 20

func readPID(f *os.File) int {
	text, err := io.ReadAll(io.LimitReader(f, longestPID))
	pid, err2 := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || err2 != nil || pid < 0 {
		return 0
	}
	return pid
}

// writePID is for [HeldError], which can do without: on a full disk the lock is as good.
func writePID(f *os.File) {
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintln(f, os.Getpid())
	}
}
