package portaudio

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	pa "github.com/gordonklaus/portaudio"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/pkg/device"
)

// Library is PortAudio. Its zero value is ready for use.
type Library struct {
	mu      sync.Mutex // held while PortAudio is called, which does not like to be called twice at once
	uses    int        // an open card, and its streams; PortAudio is started while there are any
	started bool       // once at least

	hanging struct { // calls that nobody waits for any more
		sync.Mutex
		calls int
		since time.Time // the first of those there are
	}
}

// ErrStuck is what Open fails with when PortAudio has hung for so long that only a new process can use it again: it can
// wait for ever for a sound server that died at the wrong moment, and all other calls wait for that one.
var ErrStuck = fmt.Errorf("%w: the system's sound has hung for too long, and will not come back in this process",
	device.ErrAway)

var errHangs = fmt.Errorf("%w: the system's sound hangs", device.ErrAway)

const (
	// slowOpen is how long the system may take to look for cards and to open one.
	slowOpen = 15 * time.Second
	// slowClose is how long it may take to close one.
	slowClose = 2 * time.Second
	// stuck is how long a call may hang.
	stuck = 15 * time.Second
)

// within calls f while nobody else calls PortAudio, and waits for it up to a limit: with a sound server that hangs
// PortAudio hangs as well. Nothing can end such a call; undo takes back what it did if it ends later, without an error,
// and until then no card is opened.
func (l *Library) within(limit time.Duration, f func() error, undo func()) error {
	var settled atomic.Bool // f is done, or is not waited for any more
	done := make(chan error, 1)
	go func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		err := f()
		if !settled.CompareAndSwap(false, true) {
			if err == nil {
				undo()
			}
			l.hangs(-1)
		}
		done <- err
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
	}
	l.hangs(1)
	if settled.CompareAndSwap(false, true) {
		return errHangs
	}
	l.hangs(-1)
	return <-done
}

// hangs counts calls.
func (l *Library) hangs(more int) {
	l.hanging.Lock()
	defer l.hanging.Unlock()
	if l.hanging.calls == 0 {
		l.hanging.since = time.Now()
	}
	l.hanging.calls += more
}

// usable fails while a call hangs.
func (l *Library) usable() error {
	l.hanging.Lock()
	defer l.hanging.Unlock()
	switch {
	case l.hanging.calls == 0:
		return nil
	case time.Since(l.hanging.since) > stuck:
		return ErrStuck
	}
	return errHangs
}

// Devices returns what there is. While a card is open that is what there was when it was opened.
func (l *Library) Devices() (devices []*audiov1.SoundDevice, err error) {
	if err := l.usable(); err != nil {
		return nil, err
	}
	found := make(chan []*audiov1.SoundDevice, 1)
	err = l.within(slowOpen, func() error {
		if err := l.use(); err != nil {
			return err
		}
		devices, err := list()
		found <- devices
		return errors.Join(err, l.release())
	}, func() {})
	if err != nil {
		return nil, err
	}
	return <-found, nil
}

// use starts PortAudio, which looks for cards, unless it is in use. It needs mu.
func (l *Library) use() error {
	if l.uses == 0 {
		_ = os.Setenv("JACK_NO_START_SERVER", "1") // looking for JACK must not start it
		if err := prepareALSA(); err != nil {
			return err
		}
		if err := pa.Initialize(); err != nil {
			return fmt.Errorf("%w: PortAudio does not start: %w", device.ErrAway, err)
		}
	}
	l.uses++
	if !l.started {
		skipNumbers()
		l.started = true
	}
	return nil
}

// release ends PortAudio if it was its last use. It needs mu.
func (l *Library) release() error {
	if l.uses--; l.uses > 0 {
		return nil
	}
	return pa.Terminate()
}

// skipNumbers uses up the small numbers of streams. The binding hands them to C as if they were pointers, and Go ends a
// program in which it meets a pointer below 4096 while it moves a stack. An OpenStream without arguments fails before
// it reaches C.
func skipNumbers() {
	for range 4096 {
		_, _ = pa.OpenStream(pa.StreamParameters{}) // fails: that is the point
	}
}

func list() ([]*audiov1.SoundDevice, error) {
	all, err := pa.Devices()
	if err != nil {
		return nil, err
	}
	input, _ := pa.DefaultInputDevice()   // nil if there is none
	output, _ := pa.DefaultOutputDevice() // the same
	devices := make([]*audiov1.SoundDevice, 0, len(all))
	for _, d := range all {
		devices = append(devices, &audiov1.SoundDevice{
			Name: d.Name, Host: d.HostApi.Name, InputChannels: int32(d.MaxInputChannels), OutputChannels: int32(
				d.MaxOutputChannels),
			DefaultSampleRateHz: d.DefaultSampleRate, DefaultInput: d == input, DefaultOutput: d == output,
		})
	}
	return devices, nil
}
