package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
)

// lookForKeys is how often the file of keys is looked at.
const lookForKeys = time.Second

// keyring has the keys that `waldo bus` knows: those of a file, and its own.
type keyring struct {
	file string     // empty for none
	own  *keys.Seed // nil without a robot
	mine permissions.Holder
	log  *slog.Logger
	seen *watched // the file
}

// newKeyring makes the key by which the bus speaks for a robot, if it has one.
func newKeyring(file, robotName string, log *slog.Logger) (*keyring, error) {
	k := &keyring{file: file, seen: &watched{path: file}, log: log}
	if robotName == "" {
		return k, nil
	}
	k.mine = permissions.Holder{Name: robotName + "/bus",
		Permissions: permissions.Of(permissions.Launcher(robotName), true)}
	var err error
	k.own, err = keys.New()
	return k, err
}

// first returns the keys at the start. While the file cannot be used nobody gets in by it, but the bus is there.
func (k *keyring) first() permissions.Keys {
	k.seen.changed() // from now on
	known, err := k.read()
	if err != nil {
		k.log.Error("the keys for the bus cannot be used; those who have one wait until they can", "error", err)
		known, _ = (&keyring{own: k.own, mine: k.mine}).read() // without the file nothing can fail
	}
	return known
}

// read returns the keys. A file that is missing has none; it may come later.
func (k *keyring) read() (permissions.Keys, error) {
	known := permissions.Keys{}
	if k.own != nil {
		known[k.own.Public()] = k.mine
	}
	if k.file == "" {
		return known, nil
	}
	of, err := permissions.ReadKeys(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		k.log.Warn("there are no keys for the bus yet: waldo install makes them", "file", k.file)
		return known, nil
	}
	maps.Copy(known, of)
	return known, err
}

// follow has a server know what the file says, until stop is called. While the file cannot be used, what it said last
// counts.
func (k *keyring) follow(server *embedded.Server) (stop func()) {
	if k.file == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() {
		tick := time.NewTicker(lookForKeys)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !k.seen.changed() {
				continue
			}
			if known, err := k.read(); err != nil {
				k.log.Error("the keys for the bus stay as they were", "error", err)
			} else {
				server.SetKeys(known)
			}
		}
	})
	return func() {
		cancel()
		following.Wait()
	}
}
