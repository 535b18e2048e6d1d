package audio

import (
	"errors"
	"fmt"
	"testing"

	"github.com/waldo-robot/waldo/services/audio/portaudio"
	"github.com/waldo-robot/waldo/sound/card"
)

// A process that can never use the card again ends, so that a new one is started.
func TestStuckProcessEnds(t *testing.T) {
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, portaudio.ErrStuck) {
			t.Errorf("ended with %v, want a panic that says why", err)
		}
	}()
	d := &driver{open: func(needs) (card.Card, error) { return card.Card{}, fmt.Errorf("open: %w", portaudio.ErrStuck) }}
	t.Errorf("goes on: %v", d.run(t.Context(), func() {}))
}
