package wav

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/card/cardtest"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// build makes a file of one chunk of format and one of data.
func build(code uint16, channels, rate, bits int, data []byte, more ...byte) []byte {
	b := append([]byte("RIFF\xff\xff\xff\xffWAVEfmt "), binary.LittleEndian.AppendUint32(nil, uint32(16+len(more)))...)
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(bits))
	b = append(b, more...)
	b = append(b, "LIST\x03\x00\x00\x00abc\x00data"...) // a chunk of odd length before
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(data))), data...)
}

// sized is a file whose sizes, of the whole and of the sound, are as given.
func sized(whole, sound uint32) []byte {
	b := build(1, 1, 48000, 16, []byte{0, 0x80, 0, 0x40})
	binary.LittleEndian.PutUint32(b[4:], whole)
	binary.LittleEndian.PutUint32(b[len(b)-8:], sound)
	return b
}

// rf64 is a file for more than 4 GiB, with so many bytes of sound and a chunk behind.
func rf64(sound uint64) []byte {
	ds64 := binary.LittleEndian.AppendUint32([]byte("ds64"), 28)
	ds64 = binary.LittleEndian.AppendUint64(ds64, 0)
	ds64 = binary.LittleEndian.AppendUint64(ds64, sound)
	ds64 = append(ds64, make([]byte, 12)...)
	b := sized(math.MaxUint32, math.MaxUint32)
	b = append(append([]byte("RF64\xff\xff\xff\xffWAVE"), ds64...), b[12:]...)
	if sound < math.MaxUint64 {
		b = append(b, "LIST\x04\x00\x00\x00abcd"...)
	}
	return b
}

func float(values ...float32) []byte { return pcm.Encode(nil, pcm.F32LE, values) }

// extension is how newer files say what they are.
func extension(code byte) []byte {
	return append([]byte{22, 0, 16, 0, 0, 0, 0, 0, code, 0}, make([]byte, 14)...)
}

// files feed the test and the fuzz target.
var files = map[string]struct {
	data []byte
	want []float32 // nil for an error
}{
	"16 bit":               {build(1, 1, 48000, 16, []byte{0, 0x80, 0, 0x40}), []float32{-1, 0.5}},
	"24 bit":               {build(1, 1, 48000, 24, []byte{0, 0, 0x80, 0, 0, 0x40}), []float32{-1, 0.5}},
	"32 bit":               {build(1, 1, 48000, 32, []byte{0, 0, 0, 0x80, 0, 0, 0, 0x40}), []float32{-1, 0.5}},
	"floating point":       {build(3, 2, 44100, 32, float(-1, 0.5)), []float32{-1, 0.5}},
	"extensible":           {build(0xFFFE, 1, 48000, 16, []byte{0, 0x80, 0, 0x40}, extension(1)...), []float32{-1, 0.5}},
	"half a frame":         {build(1, 1, 48000, 16, []byte{0, 0x80, 0, 0x40, 1}), []float32{-1, 0.5}},
	"no sound":             {build(1, 1, 48000, 16, nil), nil},
	"8 bit":                {build(1, 1, 48000, 8, []byte{1, 2}), nil},
	"mp3":                  {build(0x55, 1, 48000, 16, []byte{1, 2}), nil},
	"slow":                 {build(1, 1, 4000, 16, []byte{1, 2}), nil},
	"five channels":        {build(1, 5, 48000, 16, make([]byte, 10)), nil},
	"no channel":           {build(1, 0, 48000, 16, make([]byte, 10)), nil},
	"sizes of 0":           {sized(0, 0), []float32{-1, 0.5}},
	"sizes of all ones":    {sized(math.MaxUint32, math.MaxUint32), []float32{-1, 0.5}},
	"sizes of arecord":     {sized(math.MaxInt32, math.MaxInt32-36), []float32{-1, 0.5}},
	"head alone":           {sized(36, 0), []float32{-1, 0.5}},
	"filled, empty":        {sized(uint32(len(sized(0, 0))-8), 0), nil},
	"RF64":                 {rf64(4), []float32{-1, 0.5}},
	"RF64 of a silly size": {rf64(math.MaxUint64), []float32{-1, 0.5}},
	"RF64 cut off":         {rf64(4)[:24], nil},
	"RIFX":                 {append([]byte("RIFX"), sized(0, 0)[4:]...), nil},
	"extension cut off":    {build(0xFFFE, 1, 48000, 16, []byte{0, 0x80, 0, 0x40}, extension(1)[:8]...), nil},
	"empty":                {nil, nil},
	"text":                 {[]byte("this is no sound at all, this is no sound at all"), nil},
	"cut off":              {build(1, 1, 48000, 16, []byte{1, 2})[:20], nil},
	"data first":           {[]byte("RIFF\xff\xff\xff\xffWAVEdata\x02\x00\x00\x00ab"), nil},
	"short format":         {[]byte("RIFF\xff\xff\xff\xffWAVEfmt \x02\x00\x00\x00abdata\x02\x00\x00\x00ab"), nil},
}

func TestParse(t *testing.T) {
	for name, file := range files {
		s, err := Parse(bytes.NewReader(file.data), int64(len(file.data)))
		if file.want == nil {
			if !errors.Is(err, card.ErrNotSound) {
				t.Errorf("%s: %v, want card.ErrNotSound", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := make([]float32, 2*len(file.want))
		if err := s.Read(got, 0); err != nil || !slices.Equal(got, append(slices.Clone(file.want), file.want...)) {
			t.Errorf("%s: %v twice is %v, %v", name, file.want, got, err)
		}
	}
}

// TestSizesNeverFilled hears a file that a program wrote into a pipe.
func TestSizesNeverFilled(t *testing.T) {
	c, err := OpenMicrophone("testdata/sizes-never-filled.wav", pace.Pace{Format: pcm.Format{Rate: 44100, Channels: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // tested elsewhere
	if got := c.Microphone.(*microphone).sound.Frames; got != 1961 {
		t.Errorf("%d frames, want what is left of the file: 1961", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range files {
		f.Add(file.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, card.ErrNotSound) {
				t.Fatal(err)
			}
			return
		}
		if err := s.Read(make([]float32, 100*s.Channels), s.Frames-1); err != nil {
			t.Fatal(err)
		}
	})
}

// record writes a tone of 1000 Hz into a file for a second, and returns its path.
func record(t *testing.T, f pcm.Format) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tone.wav")
	synctest.Test(t, func(t *testing.T) {
		c, err := OpenSpeaker(path, f, 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Millisecond)
		defer cancel()
		n := 0
		err = c.Speaker.Play(ctx, func(out []float32) {
			for i := 0; i < len(out); i += f.Channels {
				for c := range f.Channels {
					out[i+c] = float32(0.5 * math.Sin(2*math.Pi*1000*float64(n)/float64(f.Rate)))
				}
				n++
			}
		})
		if err := errors.Join(err, c.Close()); err != nil {
			t.Fatal(err)
		}
	})
	return path
}

func TestWhatIsRecordedIsHeard(t *testing.T) {
	for _, from := range []pcm.Format{{Rate: 48000, Channels: 1}, {Rate: 44100, Channels: 2}, {Rate: 8000, Channels: 1}} {
		path := record(t, from)
		for _, to := range []pcm.Format{{Rate: 48000, Channels: 1}, {Rate: 16000, Channels: 2}} {
			synctest.Test(t, func(t *testing.T) {
				c, err := OpenMicrophone(path, pace.Pace{Format: to})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }() // tested elsewhere
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second+time.Millisecond)
				defer cancel()
				var got []float32
				if err := c.Microphone.Capture(ctx, func(s []float32, _ time.Time) { got = append(got, s...) }); err != nil {
					t.Fatal(err)
				}
				mono := pcm.Mix(nil, got, to.Channels, 1)
				m := tonetest.Of(mono[to.Rate/10:], to.Rate)
				if seconds := float64(len(mono)) / float64(to.Rate); math.Abs(seconds-3) > 0.02 {
					t.Errorf("%v as %v: %v seconds in 3", from, to, seconds)
				}
				if math.Abs(m.Hz-1000) > 0.5 || math.Abs(m.Level+6.02) > 0.1 || m.Pure < 0.99 || len(m.Gaps) > 0 {
					t.Errorf("%v as %v: %+v, want 1000 Hz at -6 dBFS", from, to, m)
				}
			})
		}
	}
}

func TestConformance(t *testing.T) {
	f := pcm.Format{Rate: 48000, Channels: 2}
	path := record(t, pcm.Format{Rate: 44100, Channels: 1})
	cardtest.Run(t, f, func(t *testing.T) card.Card {
		c, err := OpenMicrophone(path, pace.Pace{Format: f})
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
	cardtest.Run(t, f, func(t *testing.T) card.Card {
		c, err := OpenSpeaker(filepath.Join(t.TempDir(), "out.wav"), f, 0)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}

func TestFilesThatCannotBe(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text.wav")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := pcm.Format{Rate: 48000, Channels: 1}
	for path, want := range map[string]error{
		text: card.ErrNotSound, folder: card.ErrNotSound, filepath.Join(folder, "none.wav"): device.ErrAway,
	} {
		if _, err := OpenMicrophone(path, pace.Pace{Format: f}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if _, err := OpenSpeaker(filepath.Join(folder, "no", "out.wav"), f, 0); !errors.Is(err, device.ErrAway) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
