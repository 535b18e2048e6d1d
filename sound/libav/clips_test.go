//go:build cgo && !nolibav

package libav

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// clip is AAC as an ADTS stream has it.
type clip struct {
	config []byte
	blocks [][]byte
}

// adts takes a stream apart.
func adts(t testing.TB, data []byte) (c clip) {
	t.Helper()
	for len(data) >= 7 {
		size := int(data[3]&3)<<11 | int(data[4])<<3 | int(data[5])>>5
		if data[0] != 0xff || size < 7 || size > len(data) {
			t.Fatalf("no ADTS: %x", data[:7])
		}
		kind, rate, channels := int(data[2]>>6)+1, int(data[2]>>2&15), int(data[2]&1)<<2|int(data[3]>>6)
		bits := kind<<11 | rate<<7 | channels<<3
		c.config = []byte{byte(bits >> 8), byte(bits)}
		c.blocks = append(c.blocks, bytes.Clone(data[7:size]))
		data = data[size:]
	}
	return c
}

// open reads a clip of testdata.
func open(t testing.TB, name string) clip {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return adts(t, data)
}

// encode has ffmpeg encode samples. It skips the test if there is no ffmpeg.
func encode(t *testing.T, samples []float32, f pcm.Format, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("SKIPPED: there is no ffmpeg (Debian: ffmpeg) to encode with; `make test` installs it")
	}
	var in, out, complaints bytes.Buffer
	if err := binary.Write(&in, binary.LittleEndian, samples); err != nil {
		t.Fatal(err)
	}
	rate, channels := strconv.Itoa(f.Rate), strconv.Itoa(f.Channels)
	all := append([]string{"-v", "error", "-f", "f32le", "-ar", rate, "-ac", channels, "-i", "-"}, args...)
	cmd := exec.Command("ffmpeg", append(all, "-")...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, &complaints)
	}
	return out.Bytes()
}

// encodeAAC is encode for AAC-LC. The first block stands for the 1024 samples before the first.
func encodeAAC(t *testing.T, samples []float32, f pcm.Format) clip {
	t.Helper()
	rate := min(f.Rate*f.Channels*4, 128_000) // bit/s
	return adts(t, encode(t, samples, f, "-c:a", "aac", "-b:a", fmt.Sprint(rate), "-f", "adts"))
}

// sine is 440 Hz at a quarter of full scale on all channels.
func sine(f pcm.Format, frames int) (samples []float32) {
	for i := range frames {
		s := float32(0.25 * math.Sin(2*math.Pi*440*float64(i)/float64(f.Rate)))
		for range f.Channels {
			samples = append(samples, s)
		}
	}
	return samples
}

// all decodes blocks, and returns the first channel and the format, which has to be the same for all.
func all(t *testing.T, d *Decoder, blocks [][]byte) (samples []float32, format pcm.Format) {
	t.Helper()
	for i, b := range blocks {
		got, err := d.Decode(b)
		if err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
		if i > 0 && got.Format != format {
			t.Fatalf("block %d is %v after %v", i, got.Format, format)
		}
		format = got.Format
		for k := 0; k < len(got.Samples); k += format.Channels {
			samples = append(samples, got.Samples[k])
		}
	}
	return samples, format
}

func newAAC(t testing.TB, config []byte) *Decoder {
	t.Helper()
	d, err := NewAAC(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
