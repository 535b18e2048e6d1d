package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/state"
)

const (
	// replayFolders begins the names of the folders for the state of replays.
	replayFolders = "waldo-replay-"
	// replayLock is the file in such a folder that is locked while the replay runs.
	replayLock = "lock"
	// settled is how old a folder is whose replay must have its lock.
	settled = time.Minute
)

// separate gives this process, and those that it starts, a folder for state of their own: nothing of a replay may get
// among what a robot keeps. Folders of replays that were killed are removed.
func separate(in string) (remove func(), err error) {
	removeOld(in)
	folder, err := os.MkdirTemp(in, replayFolders)
	if err != nil {
		return nil, err
	}
	lock, err := state.Take(filepath.Join(folder, replayLock), 0)
	if err == nil {
		err = os.Setenv("STATE_DIRECTORY", folder)
	}
	if err != nil {
		return nil, err
	}
	stayHere()
	return func() {
		_ = os.RemoveAll(folder) // the next replay tries again
		lock.Release()
	}, nil
}

// stayHere forgets the rendezvous server in the environment: it is that of the robot, in whose place people would find
// the replay.
func stayHere() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "WALDO_RENDEZVOUS_") {
			_ = os.Unsetenv(name) // fails only for a name that is none
		}
	}
}

// removeOld removes the folders of this user's replays that have ended without doing so. It is best effort.
func removeOld(in string) {
	found, _ := filepath.Glob(filepath.Join(in, replayFolders+"*"))
	for _, folder := range found {
		about, err := os.Lstat(folder)
		if err != nil || !about.IsDir() || time.Since(about.ModTime()) < settled {
			continue
		}
		if of, ok := about.Sys().(*syscall.Stat_t); !ok || int(of.Uid) != os.Getuid() {
			continue
		}
		lock, err := state.Take(filepath.Join(folder, replayLock), 0)
		if err != nil {
			continue // it runs
		}
		_ = os.RemoveAll(folder)
		lock.Release()
	}
}
