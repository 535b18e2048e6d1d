package mp4_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/recording/mp4"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clip returns the first picture of a stream of package picture's tests.
func clip(t testing.TB, file string) []byte {
	t.Helper()
	stream, err := os.ReadFile(filepath.Join("../../pkg/media/picture/testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// descriptions are samples, and what is read from them.
var descriptions = []struct {
	name   string
	format mp4.Format
	file   string // of package picture's tests; empty: sample
	sample string // in hex
	codec  string
	size   [2]int
	err    string
}{
	{"H.264", mp4.Format{MediaType: media.H264}, "baseline.h264", "", "avc1.42c00a", [2]int{96, 66}, ""},
	{"H.264 of 10 bits", mp4.Format{MediaType: media.H264}, "10-bits.h264", "", "avc1.6e000a", [2]int{96, 66}, ""},
	{"H.265", mp4.Format{MediaType: media.H265}, "plain.h265", "", "hvc1.1.6.L30.90", [2]int{96, 66}, ""},
	{"VP8", mp4.Format{MediaType: media.VP8, Width: 64, Height: 48}, "", "00", "vp08.00.10.08", [2]int{64, 48}, ""},
	{"JPEG", mp4.Format{MediaType: media.JPEG, Width: 64, Height: 48}, "", "ffd8", "mp4v.6C", [2]int{64, 48}, ""},
	{"Opus", mp4.Format{MediaType: mp4.Opus, Channels: 2}, "", "fc", "opus", [2]int{}, ""},
	{"no parameter sets", mp4.Format{MediaType: media.H264}, "", "0000016588", "", [2]int{}, "no parameter sets"},
	{"a set that is cut", mp4.Format{MediaType: media.H264}, "", "000001674200000168ce", "", [2]int{}, "H.264: "},
	{"no sets of H.265", mp4.Format{MediaType: media.H265}, "", "0000012601", "", [2]int{}, "no parameter sets"},
	{"no size", mp4.Format{MediaType: media.VP8}, "", "00", "", [2]int{}, "pictures of 0 x 0 pixels"},
	{"too many channels", mp4.Format{MediaType: mp4.Opus, Channels: 6}, "", "fc", "", [2]int{}, "6 channels"},
	{"raw pictures", mp4.Format{MediaType: media.Raw}, "", "00", "", [2]int{}, "MP4 cannot hold it"},
}

func (d *description) bytes(t testing.TB) []byte {
	t.Helper()
	if d.file != "" {
		return clip(t, d.file)
	}
	data, err := hex.DecodeString(d.sample)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type description struct{ file, sample string }

func TestDescribe(t *testing.T) {
	for _, tt := range descriptions {
		t.Run(tt.name, func(t *testing.T) {
			sample := (&description{tt.file, tt.sample}).bytes(t)
			d, err := mp4.Describe(tt.format, sample)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !d.Zero() {
					t.Errorf("%+v, %v", d, err)
				}
				return
			}
			if err != nil || d.Codec != tt.codec || [2]int{d.Width, d.Height} != tt.size {
				t.Errorf("%q, %d x %d, %v", d.Codec, d.Width, d.Height, err)
			}
			again, _ := mp4.Describe(tt.format, sample)
			if !d.Same(again) {
				t.Error("it is not the same as itself")
			}
			init, err := mp4.Init(d)
			if err != nil || !bytes.Contains(init, []byte(d.Codec[:4])) && d.Codec != "opus" {
				t.Errorf("initialization: %v", err)
			}
		})
	}
	if _, err := mp4.Describe(mp4.Format{MediaType: media.Raw}, nil); !errors.Is(err, mp4.ErrUnsupported) {
		t.Error(err)
	}
}

// FuzzDescribe: parameter sets from anywhere lead to an initialization segment, or to an error.
func FuzzDescribe(f *testing.F) {
	types := media.MediaTypes()
	for _, tt := range descriptions {
		f.Add(slices.Index(types, tt.format.MediaType), tt.format.Width, (&description{tt.file, tt.sample}).bytes(f))
	}
	f.Add(-1, 2, []byte{0xff, 0x3f})
	f.Fuzz(func(t *testing.T, mediaType, size int, sample []byte) {
		format := mp4.Format{MediaType: mp4.Opus, Width: size, Height: size, Channels: size}
		if mediaType >= 0 {
			format.MediaType = types[mediaType%len(types)]
		}
		_ = mp4.OpusTime(sample)
		d, err := mp4.Describe(format, sample)
		if err != nil {
			return
		}
		if d.Codec == "" || d.Scale == 0 || !d.Sound() && (d.Width < media.MinSize || d.Width > media.MaxSize) {
			t.Errorf("%+v", d)
		}
		if _, err := mp4.Init(d); err != nil {
			t.Error(err)
		}
		if _, err := mp4.Fragment(1, []mp4.Sample{{Key: true, Data: d.Sample(sample)}}); err != nil {
			t.Error(err)
		}
	})
}

func TestSample(t *testing.T) {
	picture := clip(t, "baseline.h264")
	d, err := mp4.Describe(mp4.Format{MediaType: media.H264}, picture)
	if err != nil {
		t.Fatal(err)
	}
	sample, want := d.Sample(picture), 0
	for unit := range annexb.NALs(picture) {
		want += 4 + len(unit)
	}
	if len(sample) != want || !bytes.Equal(sample[:5], []byte{0, 0, 0, sample[3], 0x67}) {
		t.Errorf("%d bytes, not %d: %x", len(sample), want, sample[:8])
	}
}

func TestSchedule(t *testing.T) {
	for _, tt := range []struct {
		name      string
		shown     []int64
		next      int64
		reordered bool
		want      []mp4.Time
	}{
		{"nothing", nil, 5, false, []mp4.Time{}},
		{"in order", []int64{0, 10, 30}, 40, false, []mp4.Time{{0, 10, 0}, {10, 20, 0}, {30, 10, 0}}},
		{"before the beginning", []int64{-20, -10, 10}, 20, false, []mp4.Time{{0, 1, 0}, {1, 9, 0}, {10, 10, 0}}},
		{"a clock that jumps back", []int64{50, 10, 60}, 70, false, []mp4.Time{{50, 1, 0}, {51, 9, 0}, {60, 10, 0}}},
		{"B-frames", []int64{10, 40, 20, 30}, 50, true, []mp4.Time{{10, 9, 0}, {19, 1, 21}, {20, 10, 0}, {30, 20, 0}}},
		{"nothing comes after", []int64{10}, 10, false, []mp4.Time{{10, 1, 0}}},
		{"far apart", []int64{0}, math.MaxInt64, false, []mp4.Time{{0, math.MaxInt32, 0}}},
	} {
		if got := mp4.Schedule(tt.shown, tt.next, tt.reordered); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, not %v", tt.name, got, tt.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 0, time.Second: 90_000, time.Second / 30: 3000, -time.Second / 30: -3000, 1000 * time.Hour: 324_000_000_000,
		11 * time.Microsecond: 1, 5 * time.Microsecond: 0,
	} {
		if got := mp4.Units(d, 90_000); got != want {
			t.Errorf("%v: %d, not %d", d, got, want)
		}
	}
}

func TestOpusTime(t *testing.T) {
	for packet, want := range map[string]time.Duration{
		"f8fffe": 20 * time.Millisecond, "e0": 2500 * time.Microsecond, "1b06": 0, "1902": 120 * time.Millisecond, "fb": 0,
		"": 0,
	} {
		data, err := hex.DecodeString(packet)
		if got := mp4.OpusTime(data); err != nil || got != want {
			t.Errorf("%s: %v, not %v", packet, got, want)
		}
	}
	for channels := 1; channels <= 2; channels++ {
		if got := mp4.OpusTime(mp4.SilentPacket(channels)); got != mp4.Silence {
			t.Errorf("silence of %d channels: %v", channels, got)
		}
	}
}
