package playout

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// TestEverythingAtOnce calls all methods from many goroutines, for the race detector. Mixer.Close ends those that wait.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	m, err := New(Config{MaxTalkers: 8, Channels: 2})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	packets, sound := tone(t), frameOf(raw(pcm.S16LE, 44100, 1), make([]float32, 4410))
	done := make(chan struct{})
	forever := func(do func()) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					do()
				}
			}
		})
	}
	block := make([]float32, 960)
	reads := 0
	wg.Go(func() { // the speaker, which is quicker than any
		for reads = range 1500 {
			m.Read(block)
		}
		m.Close()
		close(done)
	})
	for i := range 3 {
		s := &sender{name: fmt.Sprint(i), epoch: 1, packets: packets}
		forever(func() {
			m.Receive(s.frame())
			time.Sleep(time.Millisecond)
		})
	}
	for range 3 {
		forever(func() {
			f, err := m.Open("program", nil)
			if err != nil {
				time.Sleep(time.Millisecond)
				return
			}
			defer f.Close()
			for range 3 {
				if err := f.Write(t.Context(), sound); err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
			}
			if err := f.Drain(t.Context()); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			f.Played()
		})
	}
	forever(func() {
		for _, talker := range m.Talkers() {
			if talker.GetName() == "" {
				t.Error("a talker without a name")
			}
		}
		time.Sleep(time.Millisecond)
	})
	wg.Wait()
	if reads != 1499 {
		t.Errorf("%d reads", reads)
	}
}
