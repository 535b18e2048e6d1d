package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/state"
)

// TestBusKeys: the bus knows the keys in its file, also those that come while it runs, and a file that is broken
// changes nothing.
func TestBusKeys(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo"))
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("WALDO_TOKEN", "sixteen-or-more!")
	file, address := filepath.Join(t.TempDir(), "keys.json"), free(t)
	log := create(t, filepath.Join(t.TempDir(), "log"))
	start(t, log, "waldo", "bus", "--listen", address, "--keys", file)
	seed, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	knows := func() bool {
		nc, err := nats.Connect("nats://"+address, nats.Nkey(seed.Public(), seed.Sign))
		if err == nil {
			nc.Close()
		}
		return err == nil
	}
	until := func(what string, is bool) {
		t.Helper()
		for begun := time.Now(); knows() != is; time.Sleep(50 * time.Millisecond) {
			if time.Since(begun) > time.Minute {
				t.Fatal("not so:", what)
			}
		}
	}
	admin := func() *nats.Conn {
		for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			nc, err := nats.Connect("nats://"+address, nats.Token("sixteen-or-more!"))
			if err == nil {
				return nc
			}
			if time.Since(begun) > time.Minute {
				t.Fatal(err)
			}
		}
	}
	admin().Close() // it runs
	if knows() {
		t.Error("a key that is in no file is known")
	}
	put := func(data []byte) {
		if err := state.Replace(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := permissions.Keys{seed.Public(): {Name: "rover/front"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	put(data)
	until("the key of the file is known", true)
	put([]byte("{"))
	for said := []byte{}; !bytes.Contains(said, []byte("stay as they were")); time.Sleep(50 * time.Millisecond) {
		if said, err = os.ReadFile(log.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if !knows() {
		t.Error("a broken file takes the keys away")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	until("without the file nobody has a key", false)
}
