package portaudio

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
)

// A call that hangs is not waited for; nothing is opened before it has ended, and what it did is taken back. When it
// hangs for too long, that is said.
func TestHangingCall(t *testing.T) {
	l := &Library{}
	release, undone := make(chan struct{}), make(chan struct{})
	hang := func() error {
		<-release
		return nil
	}
	if err := l.within(time.Millisecond, hang, func() { close(undone) }); !errors.Is(err, device.ErrAway) {
		t.Errorf("a call that hangs: %v, want that the card is away", err)
	}
	begin := time.Now()
	for _, want := range []error{errHangs, ErrStuck} {
		if _, err := l.Open(Config{}); !errors.Is(err, want) {
			t.Errorf("open: %v, want %v", err, want)
		}
		if _, err := l.Devices(); !errors.Is(err, want) {
			t.Errorf("devices: %v, want %v", err, want)
		}
		l.hanging.Lock()
		l.hanging.since = begin.Add(-stuck - time.Second)
		l.hanging.Unlock()
	}
	close(release)
	select {
	case <-undone:
	case <-time.After(patience):
		t.Fatal("not taken back")
	}
	for l.usable() != nil { // the next thing that the call does
		if time.Since(begin) > patience {
			t.Fatal("it has ended, and still counts")
		}
		time.Sleep(time.Millisecond)
	}
}

// Without a configuration of ALSA PortAudio ends the process; here it is an error with the remedy.
func TestWithoutConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "asound.conf")
	t.Setenv("ALSA_CONFIG_PATH", path)
	for range 2 { // no file, then one without a default
		_, err := (&Library{}).Devices()
		if !errors.Is(err, device.ErrAway) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want an error that names %s", err, path)
		}
		if err := os.WriteFile(path, []byte("pcm.other { type null }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
