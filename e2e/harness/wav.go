package harness

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/tonetest"
)

// WriteWAV writes 16-bit mono sound at EarRate, and returns its path.
func WriteWAV(tb testing.TB, samples []float32) string {
	tb.Helper()
	const header, bits = 36, 16
	size := uint32(len(samples) * bits / 8)
	var b bytes.Buffer
	b.WriteString("RIFF")
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // writing to a buffer cannot fail
		}
	}
	put(header + size)
	b.WriteString("WAVEfmt ")
	put(uint32(16), uint16(1), uint16(1), uint32(EarRate), uint32(EarRate*bits/8), uint16(bits/8), uint16(bits))
	b.WriteString("data")
	put(size)
	for _, s := range samples {
		put(int16(math.Round(float64(s) * math.MaxInt16)))
	}
	path := filepath.Join(tb.TempDir(), "sound.wav")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Voice is a WAV file of speech. It is made from recordings of a human voice; Opus may treat an imitation as music.
func Voice(tb testing.TB) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "voice.wav")
	const text = "Please drive slowly to the door on the left, then stop, and look around. Who is there? My name is " +
		"Waldo, and I am a robot. " +
		"She had your dark suit in greasy wash water all year. The quick brown fox jumps over the lazy dog."
	if out, err := exec.Command("flite", "-voice", "slt", "-t", text, "-o", path).CombinedOutput(); err != nil {
		tb.Fatalf("flite: %v: %s: run `make deps-test`", err, out)
	}
	return path
}

// Sine is a tone with a frequency in Hz and a peak amplitude.
func Sine(hz, amplitude float64, d time.Duration) []float32 {
	return tonetest.Sine(hz, amplitude, EarRate, int(d.Seconds()*EarRate))
}

// Beeps are tones of 40 ms at a fixed interval, with silence between them.
func Beeps(hz float64, every time.Duration, count int) []float32 {
	const beep = 40 * time.Millisecond
	var samples []float32
	for range count {
		samples = append(samples, make([]float32, int((every-beep).Seconds()*EarRate))...)
		samples = append(samples, Sine(hz, 0.5, beep)...)
	}
	return samples
}

// Beginnings are the times at which the sound became loud after at least 100 ms of quiet.
func (h Heard) Beginnings() (found []time.Time) {
	const loud, rest = 0.05, EarRate / 10
	quiet := 0
	for i, s := range h.Samples {
		if s < loud && s > -loud {
			quiet++
			continue
		}
		if quiet >= rest {
			found = append(found, h.At(i))
		}
		quiet = 0
	}
	return found
}
