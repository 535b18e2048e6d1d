package portaudio

import (
	"errors"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/audio/card"
)

// A call that hangs is not waited for; nothing is opened before it has ended, and what it did is taken back. When it hangs for too long, that is said.
func TestHangingCall(t *testing.T) {
	l := &Library{}
	release, undone := make(chan struct{}), make(chan struct{})
	hang := func() error {
		<-release
		return nil
	}
	if err := l.within(time.Millisecond, hang, func() { close(undone) }); !errors.Is(err, card.ErrAway) {
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
