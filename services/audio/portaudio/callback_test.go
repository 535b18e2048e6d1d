package portaudio

import (
	"testing"
	"time"

	pa "github.com/gordonklaus/portaudio"

	"github.com/waldo-robot/waldo/sound/convert"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/ring"
)

// What PortAudio's threads call costs no memory, nothing waits in it, and nothing is reached through it after the end.
func TestCallbacks(t *testing.T) {
	card := pcm.Format{Rate: 44100, Channels: 2}
	puller, err := convert.NewPuller(standard, card, 480, func(samples []float32) { clear(samples) })
	if err != nil {
		t.Fatal(err)
	}
	defer puller.Close()
	blocks, calls := ring.New(4, 882), 0
	var c clock
	for name, call := range map[string]callback{
		"microphone": func(samples []float32, times pa.StreamCallbackTimeInfo, _ pa.StreamCallbackFlags) {
			calls++
			blocks.Put(samples, c.captured(times, time.Now(), 10*time.Millisecond))
		},
		"speaker": func(samples []float32, _ pa.StreamCallbackTimeInfo, _ pa.StreamCallbackFlags) {
			calls++
			puller.Read(samples)
		},
	} {
		lost := 0
		s := &source{config: Config{Trouble: func(string) { lost++ }}}
		w := watched{begin: time.Now()}
		called := w.call(s, call)
		samples := make([]float32, 882)
		for range 10 { // buffers grow to their size
			called(samples, pa.StreamCallbackTimeInfo{}, 0)
		}
		if n := testing.AllocsPerRun(1000,
			func() { called(samples, pa.StreamCallbackTimeInfo{}, pa.InputOverflow) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if lost < 1000 {
			t.Errorf("%s: %d losses told, want one each time", name, lost)
		}
		before := calls
		w.close()
		samples[0] = 1
		if called(samples, pa.StreamCallbackTimeInfo{}, 0); calls != before || samples[0] != 0 {
			t.Errorf("%s: called after the end: %d times, sample %v", name, calls-before, samples[0])
		}
		if w.quiet() > patience {
			t.Errorf("%s: quiet for %v", name, w.quiet())
		}
	}
}
