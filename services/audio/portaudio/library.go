package portaudio

import (
	"errors"
	"fmt"
	"os"
	"sync"

	pa "github.com/gordonklaus/portaudio"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/services/audio/card"
)

// Library is PortAudio. Its zero value is ready for use.
type Library struct {
	mu      sync.Mutex
	open    bool // a card is
	started bool // once at least
}

// Devices returns what there is. While a card is open that is what there was when it was opened.
func (l *Library) Devices() ([]*audiov1.SoundDevice, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		return list()
	}
	if err := l.start(); err != nil {
		return nil, err
	}
	devices, err := list()
	return devices, errors.Join(err, pa.Terminate())
}

// start initializes PortAudio, which looks for cards.
func (l *Library) start() error {
	_ = os.Setenv("JACK_NO_START_SERVER", "1") // looking for JACK must not start it
	if err := pa.Initialize(); err != nil {
		return fmt.Errorf("%w: PortAudio does not start: %w", card.ErrAway, err)
	}
	if !l.started {
		skipNumbers()
		l.started = true
	}
	return nil
}

// skipNumbers uses up the small numbers of streams. The binding hands them to C as if they were pointers, and Go ends a program in which it meets
// a pointer below 4096 while it moves a stack. An OpenStream without arguments fails before it reaches C.
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
			Name: d.Name, Host: d.HostApi.Name, InputChannels: int32(d.MaxInputChannels), OutputChannels: int32(d.MaxOutputChannels),
			DefaultSampleRateHz: d.DefaultSampleRate, DefaultInput: d == input, DefaultOutput: d == output,
		})
	}
	return devices, nil
}
