package portaudio

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/card/cardtest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

var standard = pcm.Format{Rate: 48000, Channels: 1}

func both(format pcm.Format) Config {
	return Config{Microphone: pulseMicrophone, Speaker: pulseSpeaker, Format: format}
}

// open opens both ends, and closes them at the end of the test.
func open(t *testing.T, l *Library, config Config) card.Card {
	t.Helper()
	c, err := l.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformanceOverPulseAudio(t *testing.T) {
	startPulse(t)
	f := pcm.Format{Rate: 44100, Channels: 2}
	cardtest.Run(t, f, func(t *testing.T) card.Card { return open(t, &Library{}, both(f)) })
}

// tone is a speaker's fill that plays a sine at a quarter of full scale, -12 dBFS.
func tone(f pcm.Format, hz float64) func([]float32) {
	phase := 0.0
	return func(samples []float32) {
		for i := 0; i < len(samples); i += f.Channels {
			for c := range f.Channels {
				samples[i+c] = float32(0.25 * math.Sin(2*math.Pi*phase))
			}
			_, phase = math.Modf(phase + hz/float64(f.Rate))
		}
	}
}

// TestWhatIsPlayedIsHeard plays a tone and measures what comes back: of the frequency and level that were played, and
// without gaps.
func TestWhatIsPlayedIsHeard(t *testing.T) {
	startPulse(t)
	for _, f := range []pcm.Format{standard, {Rate: 48000, Channels: 2}, {Rate: 16000, Channels: 1}} {
		t.Run(f.String(), func(t *testing.T) {
			config := both(f)
			config.Block = f.Frames(40 * time.Millisecond) // a busy machine is late
			c := open(t, &Library{}, config)
			defer func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}()
			var m tonetest.Measure
			for range 5 { // that it is later than even that is not the driver's doing
				m = tonetest.Of(pcm.Mix(nil, hear(t, c, f, tone(f, 1000)), f.Channels, 1), f.Rate)
				t.Logf("%+v", m)
				if math.Abs(m.Hz-1000) < 1 && math.Abs(m.Level+12.04) < 0.3 && m.Pure > 0.99 && len(m.Gaps) == 0 {
					return
				}
			}
			t.Errorf("%+v, want 1000 Hz at -12 dBFS without gaps", m)
		})
	}
}

// hear plays until two seconds of sound have come back, and returns the second of them.
func hear(t *testing.T, c card.Card, f pcm.Format, fill func([]float32)) []float32 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var playing sync.WaitGroup
	playing.Go(func() {
		if err := c.Speaker.Play(ctx, fill); err != nil {
			t.Errorf("play: %v", err)
		}
	})
	var heard []float32
	loud := false
	err := c.Microphone.Capture(ctx, func(samples []float32, _ time.Time) {
		for _, s := range samples {
			loud = loud || s > 0.1
		}
		if loud {
			heard = append(heard, samples...)
		}
		if len(heard) >= 2*f.Rate*f.Channels {
			cancel()
		}
	})
	if err != nil {
		t.Errorf("capture: %v", err)
	}
	playing.Wait()
	if len(heard) < 2*f.Rate*f.Channels {
		t.Fatalf("%d samples heard in %v", len(heard), patience)
	}
	return heard[f.Rate*f.Channels : 2*f.Rate*f.Channels]
}

// TestServerGoes: whatever becomes of the sound server under streams that run, both ends say so in bounded time, and it
// is all there again when the server is.
func TestServerGoes(t *testing.T) {
	for name, test := range map[string]struct{ away, back func(*pulseServer) }{
		"hangs":     {func(p *pulseServer) { p.signal(syscall.SIGSTOP) }, func(p *pulseServer) { p.signal(syscall.SIGCONT) }},
		"is killed": {(*pulseServer).end, (*pulseServer).start},
	} {
		t.Run(name, func(t *testing.T) {
			p := startPulse(t)
			l := &Library{}
			c, ok := reopen(t, l)
			if !ok {
				t.Fatal("nothing has gone yet")
			}
			goesUnder(t, c, func() { test.away(p) })
			begin := time.Now()
			_ = c.Close() // it may well hang
			if _, err := l.Open(both(standard)); !errors.Is(err, device.ErrAway) {
				t.Errorf("open while it is away: %v", err)
			}
			t.Logf("closed, and refused to open, after %v", time.Since(begin).Round(time.Millisecond))
			test.back(p)
			if c, ok = reopen(t, l); !ok {
				return
			}
			hear(t, c, standard, tone(standard, 440))
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// reopen opens both ends as soon as that can be. It reports whether it ever can: PortAudio may never return from a
// server that died at the wrong moment, and says so.
func reopen(t *testing.T, l *Library) (card.Card, bool) {
	t.Helper()
	begin := time.Now()
	for {
		c, err := l.Open(both(standard))
		if err == nil {
			t.Logf("open after %v", time.Since(begin).Round(time.Millisecond))
			return c, true
		}
		if errors.Is(err, ErrStuck) {
			t.Logf("%v, known after %v", err, time.Since(begin).Round(time.Millisecond))
			return c, false
		}
		if time.Since(begin) > patience {
			t.Fatalf("not open again within %v: %v", patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// goesUnder runs both ends, has the hardware go, and checks that both end with an error that says so.
func goesUnder(t *testing.T, c card.Card, goes func()) {
	t.Helper()
	captured, played := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	go func() { played <- c.Speaker.Play(ctx, tone(standard, 440)) }()
	running := make(chan struct{})
	go func() {
		captured <- c.Microphone.Capture(ctx, func(samples []float32, _ time.Time) {
			if samples[0] != 0 { // both ends work
				once.Do(func() { close(running) })
			}
		})
	}()
	select {
	case <-running:
	case <-time.After(patience):
		t.Fatal("nothing was heard")
	}
	goes()
	begin := time.Now()
	for what, ended := range map[string]chan error{"capture": captured, "play": played} {
		select {
		case err := <-ended:
			if !errors.Is(err, device.ErrAway) {
				t.Errorf("%s ended with %v, want an error that it is away", what, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s goes on", what)
		}
	}
	t.Logf("noticed after %v", time.Since(begin).Round(time.Millisecond))
}

func TestDevicesAndUnknownOnes(t *testing.T) {
	startPulse(t)
	l := &Library{}
	for range 2 { // closed, then open
		devices, err := l.Devices()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, d := range devices {
			found[d.GetName()] = d.GetOutputChannels() > 0 || d.GetInputChannels() > 0
		}
		if !found[pulseSpeaker] || !found[pulseMicrophone] {
			t.Errorf("devices %v, want both ends of the sink", devices)
		}
		if c, err := l.Open(both(standard)); err == nil {
			defer func() { _ = c.Close() }() // tested elsewhere
		}
	}
	if _, err := l.Open(both(standard)); !errors.Is(err, device.ErrBusy) {
		t.Errorf("a second card: %v, want that it is busy", err)
	}
	_, err := (&Library{}).Open(Config{Microphone: "no such", Speaker: pulseSpeaker, Format: standard})
	if !errors.Is(err, device.ErrAway) || !strings.Contains(err.Error(), pulseMicrophone) ||
		!strings.Contains(err.Error(), "no such") {
		t.Errorf("an unknown microphone: %v, want one that names those there are", err)
	}
}
