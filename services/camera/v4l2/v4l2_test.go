package v4l2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kernel "github.com/vladimirvivien/go4vl/v4l2"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a kernel with one camera. The zero value has no camera; see webcam.
type fake struct {
	mu      sync.Mutex
	id      identity
	offers  []mode
	now     mode
	chooses func(mode) mode // what the driver makes of a wish; nil: it obeys
	all     []control
	gone    atomic.Bool
	closed  int
	streams int

	buffers func(i int) buffer // the i-th of a stream; nil: good ones
}

// webcam is what a simple USB camera looks like.
func webcam() *fake {
	return &fake{
		id: identity{driver: "uvcvideo", card: "Cam", bus: "usb-1", capture: true},
		offers: []mode{
			{fourcc: kernel.PixelFmtYUYV, width: 640, height: 480, rate: 30},
			{fourcc: kernel.PixelFmtYUYV, width: 1280, height: 720, rate: 10},
			{fourcc: kernel.PixelFmtMJPEG, width: 640, height: 480, rate: 30},
			{fourcc: kernel.PixelFmtMJPEG, width: 1280, height: 720, rate: 30},
		},
		now: mode{fourcc: kernel.PixelFmtYUYV, width: 640, height: 480, rate: 30, stride: 1280},
		all: []control{
			{1, source.Control{Name: "brightness", Minimum: -10, Maximum: 10, Step: 2, Default: 0}},
			{2, source.Control{Name: "gain", Minimum: 0, Maximum: 5, Step: 1, ReadOnly: true}},
			{3, source.Control{Name: "mode", Type: source.Menu, Minimum: 0, Maximum: 3,
				Items: map[int64]string{0: "a", 3: "b"}}},
		},
	}
}

func (f *fake) err() error {
	if f.gone.Load() {
		return device.ErrAway
	}
	return nil
}

func (f *fake) identity() (identity, error) { return f.id, f.err() }
func (f *fake) modes() ([]mode, error)      { return f.offers, f.err() }
func (f *fake) current() (mode, error)      { return f.now, f.err() }

func (f *fake) set(m mode) error {
	if f.chooses != nil {
		m = f.chooses(m)
	}
	m.stride = map[uint32]int{kernel.PixelFmtYUYV: 2 * m.width, fourccNV12: m.width}[m.fourcc]
	f.now = m
	return f.err()
}

func (f *fake) controls() ([]control, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]control(nil), f.all...), f.err()
}

func (f *fake) setControl(id uint32, value int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.all {
		if f.all[i].id == id {
			f.all[i].Value = value
		}
	}
	return f.err()
}

func (f *fake) close() error { f.closed++; return nil }

func (f *fake) stream(ctx context.Context, deliver func(buffer)) error {
	f.mu.Lock()
	f.streams++
	f.mu.Unlock()
	for i := 0; ; i++ {
		if err := f.err(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Millisecond):
		}
		if f.buffers != nil {
			deliver(f.buffers(i))
			continue
		}
		deliver(buffer{data: f.picture(), sequence: uint32(i), time: time.Now()})
	}
}

func (f *fake) picture() []byte {
	if f.now.fourcc == kernel.PixelFmtMJPEG {
		return goodJPEG
	}
	return make([]byte, 2*f.now.width*f.now.height)
}

var goodJPEG = func() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 16, 16), image.YCbCrSubsampleRatio422), nil); err != nil {
		panic(err) // of the test's own making
	}
	return b.Bytes()
}()

func TestConformance(t *testing.T) {
	for _, format := range []string{"YUYV", "MJPEG"} {
		t.Run(format, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T) source.Source {
				s, err := open("/dev/video0", webcam(), Config{Format: format})
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

// TestConformanceOfARealCamera runs against the device named by WALDO_CAMERA.
func TestConformanceOfARealCamera(t *testing.T) {
	path := os.Getenv("WALDO_CAMERA")
	if path == "" {
		if os.Getenv("WALDO_REQUIRE_HARDWARE") == "1" {
			t.Fatal("WALDO_REQUIRE_HARDWARE promises hardware, but WALDO_CAMERA names no device")
		}
		t.Skip("NOT TESTED: set WALDO_CAMERA to a V4L2 device such as /dev/video0, or run make lab")
	}
	sourcetest.Run(t, func(t *testing.T) source.Source {
		s, err := Open(t.Context(), path, Config{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestChoice(t *testing.T) {
	tests := map[string]struct {
		config Config
		want   uint32
		width  int
	}{
		"what it is set to":     {Config{}, kernel.PixelFmtYUYV, 640},
		"cheapest that is fast": {Config{Width: 1280, Height: 720, FrameRate: 30}, kernel.PixelFmtMJPEG, 1280},
		"slow is enough":        {Config{Width: 1280, Height: 720, FrameRate: 10}, kernel.PixelFmtYUYV, 1280},
		"asked for":             {Config{Width: 640, Height: 480, Format: "MJPEG"}, kernel.PixelFmtMJPEG, 640},
		"a size not listed":     {Config{Width: 800, Height: 600, FrameRate: 30}, kernel.PixelFmtYUYV, 800},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := webcam()
			if _, err := open("/dev/video0", f, tt.config); err != nil {
				t.Fatal(err)
			}
			if f.now.fourcc != tt.want || f.now.width != tt.width {
				t.Errorf("asked for %s %dx%d", fourccName(f.now.fourcc), f.now.width, f.now.height)
			}
		})
	}
}

func TestReportsWhatTheDriverChose(t *testing.T) {
	f := webcam()
	f.chooses = func(mode) mode { return mode{fourcc: kernel.PixelFmtYUYV, width: 320, height: 240, rate: 12.5} }
	s, err := open("/dev/video0", f, Config{Width: 1280, Height: 720, FrameRate: 30, Format: "MJPEG"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := s.Info().Current
	if got.GetMediaType() != media.Raw || got.GetPixelFormat() != media.PixelYUYV || got.GetWidthPx() != 320 ||
		got.GetFrameRateHz() != 12.5 {
		t.Errorf("got %v", got)
	}
}

func TestOpenErrors(t *testing.T) {
	tests := map[string]struct {
		change func(*fake)
		config Config
		is     error
		says   string
	}{
		"metadata node":  {func(f *fake) { f.id.capture = false }, Config{}, source.ErrNotCamera, "index0"},
		"several planes": {func(f *fake) { f.id.planar = true }, Config{}, source.ErrNotCamera, "planes"},
		"unknown pixels": {func(f *fake) {
			f.chooses = func(m mode) mode {
				m.fourcc = 'B' | 'A'<<8 | '8'<<16 |
					'1'<<24
				return m
			}
		},
			Config{}, source.ErrNotCamera, "BA81"},
		"format it lacks":     {func(*fake) {}, Config{Format: "NV12"}, nil, "one of YUYV, MJPEG"},
		"unplugged meanwhile": {func(f *fake) { f.gone.Store(true) }, Config{}, device.ErrAway, "away"},
		"control it lacks": {func(*fake) {}, Config{Controls: map[string]int64{"zoom": 1}}, source.ErrNoControl,
			"brightness, gain, mode"},
		"control out of range": {func(*fake) {}, Config{Controls: map[string]int64{"brightness": 11}}, source.ErrOutOfRange,
			"-10 to 10"},
		"control off its step": {func(*fake) {}, Config{Controls: map[string]int64{"brightness": 1}}, source.ErrOutOfRange,
			"multiple of 2"},
		"control read-only": {func(*fake) {}, Config{Controls: map[string]int64{"gain": 1}}, source.ErrReadOnly, "gain"},
		"menu without entry": {func(*fake) {}, Config{Controls: map[string]int64{"mode": 1}}, source.ErrOutOfRange,
			"an entry"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := webcam()
			tt.change(f)
			_, err := open("/dev/video9", f, tt.config)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) ||
				!strings.Contains(err.Error(), "/dev/video9") {
				t.Errorf("got %v, want %v with %q", err, tt.is, tt.says)
			}
			if f.closed != 1 {
				t.Errorf("the node was closed %d times", f.closed)
			}
		})
	}
}

func TestOpeningWhatIsNoCamera(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, is := range map[string]error{
		"/dev/no-such-camera": device.ErrAway, plain: source.ErrNotCamera, "/dev/null": source.ErrNotCamera,
	} {
		if _, err := Open(t.Context(), path, Config{}); !errors.Is(err, is) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %v", path, err, is)
		}
	}
}

func TestUnplugging(t *testing.T) {
	for _, capturing := range []bool{false, true} {
		t.Run(fmt.Sprint("capturing=", capturing), func(t *testing.T) {
			f := webcam()
			s, err := open("/dev/video0", f, Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if capturing {
				err = s.Capture(t.Context(), func(source.Frame) { f.gone.Store(true) })
			} else {
				f.gone.Store(true)
				err = s.Watch(t.Context())
			}
			if !errors.Is(err, device.ErrAway) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestControls(t *testing.T) {
	f := webcam()
	s, err := open("/dev/video0", f, Config{Controls: map[string]int64{"brightness": 4}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetControls(map[string]int64{"brightness": 6, "mode": 1}); err == nil {
		t.Error("a wrong value was taken")
	}
	if err := s.SetControls(map[string]int64{"mode": 3}); err != nil {
		t.Error(err)
	}
	all, err := s.Controls()
	if err != nil || all[0].Value != 4 || all[2].Value != 3 {
		t.Errorf("%+v %v: all or nothing was not kept", all, err)
	}
}

// TestDamage plays a stream of good and bad buffers and looks at what comes out.
func TestDamage(t *testing.T) {
	jpegMode := mode{fourcc: kernel.PixelFmtMJPEG, width: 16, height: 16, rate: 30}
	rawMode := mode{fourcc: kernel.PixelFmtYUYV, width: 4, height: 2, stride: 8}
	padded := mode{fourcc: kernel.PixelFmtYUYV, width: 4, height: 2, stride: 12}
	half := goodJPEG[:len(goodJPEG)/2]
	bare := withoutTables(goodJPEG)
	tail := append(append([]byte(nil), goodJPEG...), 0, 0, 0)
	key, delta := []byte{0, 0, 1, 0x65, 0x80}, []byte{0, 0, 1, 0x41, 0x80}
	tests := map[string]struct {
		mode    mode
		buffers []buffer
		lost    []int // of each frame that comes out
		sizes   []int
	}{
		"all good": {rawMode, []buffer{{data: make([]byte, 16)}, {data: make([]byte, 16), sequence: 1}}, []int{0, 0},
			[]int{16, 16}},
		"begins late": {rawMode, []buffer{{data: make([]byte, 16), sequence: 7}}, []int{0}, []int{16}},
		"gap": {rawMode, []buffer{{data: make([]byte, 16)}, {data: make([]byte, 16), sequence: 4}}, []int{0, 3},
			[]int{16, 16}},
		"number wraps": {rawMode, []buffer{{data: make([]byte, 16), sequence: math.MaxUint32}, {data: make([]byte, 16)}},
			[]int{0, 0}, []int{16, 16}},
		"short raw": {rawMode, []buffer{{data: make([]byte, 15)}, {data: make([]byte, 17), sequence: 1}}, []int{1},
			[]int{16}},
		"padded rows": {padded, []buffer{{data: make([]byte, 24)}}, []int{0}, []int{24}},
		"marked as bad": {rawMode, []buffer{{data: make([]byte, 16), damaged: true}, {data: make([]byte, 16), sequence: 1}},
			[]int{1}, []int{16}},
		"half a JPEG": {jpegMode, []buffer{{data: half}, {data: goodJPEG, sequence: 1}}, []int{1}, []int{len(goodJPEG)}},
		"JPEG tail": {jpegMode, []buffer{{data: goodJPEG[len(goodJPEG)/2:]}, {data: goodJPEG, sequence: 1}}, []int{1},
			[]int{len(goodJPEG)}},
		"no tables":      {jpegMode, []buffer{{data: bare}}, []int{0}, []int{len(bare) + 420}},
		"rubbish behind": {jpegMode, []buffer{{data: tail}}, []int{0}, []int{len(goodJPEG)}},
		"empty":          {jpegMode, []buffer{{}}, nil, nil},
		"H.264 joins at a key frame": {mode{fourcc: kernel.PixelFmtH264, width: 16, height: 16},
			[]buffer{{data: delta}, {data: key, sequence: 1}, {data: delta, sequence: 2}}, []int{0, 0}, []int{5, 5}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []source.Frame
			in := intake{mode: tt.mode, format: tt.mode.format(), deliver: func(f source.Frame) { got = append(got, f) }}
			for _, b := range tt.buffers {
				in.take(b)
			}
			if len(got) != len(tt.lost) {
				t.Fatalf("%d frames, want %d", len(got), len(tt.lost))
			}
			for i, f := range got {
				if f.Lost != tt.lost[i] || len(f.Data) != tt.sizes[i] {
					t.Errorf("frame %d: lost %d, %d bytes", i, f.Lost, len(f.Data))
				}
			}
		})
	}
}

func TestFramesAreCopied(t *testing.T) {
	driver := bytes.Repeat([]byte{7}, 16)
	m := mode{fourcc: kernel.PixelFmtYUYV, width: 4, height: 2, stride: 8}
	in := intake{mode: m, format: m.format(), deliver: func(f source.Frame) {
		driver[0] = 9
		if f.Data[0] != 7 {
			t.Error("a frame shares the driver's memory")
		}
	}}
	in.take(buffer{data: driver})
}

func TestOtherFormatsBecomeI420(t *testing.T) {
	for fourcc, size := range map[uint32]int{kernel.PixelFmtUYVY: 16, kernel.PixelFmtGrey: 8, kernel.PixelFmtRGB24: 24,
		fourccNV21: 12} {
		m := mode{fourcc: fourcc, width: 4, height: 2}
		in := intake{mode: m, format: m.format(), deliver: func(f source.Frame) {
			if f.Picture == nil || f.Picture.Width != 4 || f.Format.GetPixelFormat() != media.PixelI420 {
				t.Errorf("%s: %+v", fourccName(fourcc), f)
			}
			size = 0
		}}
		in.take(buffer{data: make([]byte, size)})
		if size != 0 {
			t.Errorf("%s: no frame", fourccName(fourcc))
		}
	}
}

func TestCaptureTime(t *testing.T) {
	var mono unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		t.Fatal(err)
	}
	stamp := func(age time.Duration, flags uint32) kernel.Buffer {
		return kernel.Buffer{Flags: flags, Timestamp: unixTimeval(mono.Nano() - age.Nanoseconds())}
	}
	now := time.Now()
	near := func(got time.Time, age time.Duration) bool {
		return got.Sub(now.Add(-age)).Abs() < 500*time.Millisecond
	}
	if got := captureTime(stamp(2*time.Second, kernel.BufFlagTimestampMonotonic), now); !near(got, 2*time.Second) {
		t.Errorf("two seconds old: %v, now %v", got, now)
	}
	for name, b := range map[string]kernel.Buffer{
		"no clock": stamp(2*time.Second, 0),
		"future":   stamp(-time.Hour, kernel.BufFlagTimestampMonotonic),
		"ancient":  stamp(time.Hour, kernel.BufFlagTimestampMonotonic),
	} {
		if got := captureTime(b, now); !got.Equal(now) {
			t.Errorf("%s: %v, now %v", name, got, now)
		}
	}
}

func unixTimeval(ns int64) (tv unix.Timeval) {
	return unix.NsecToTimeval(ns)
}

func TestControlNames(t *testing.T) {
	for in, want := range map[string]string{
		"Brightness": "brightness", "White Balance, Automatic": "white_balance_automatic", " Gain (dB) ": "gain_db", "": "",
	} {
		if got := controlName(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// withoutTables leaves out the Huffman tables, as many cameras do.
func withoutTables(data []byte) []byte {
	at := bytes.Index(data, []byte{0xff, 0xc4})
	return slices.Concat(data[:at], data[at+2+int(data[at+2])<<8+int(data[at+3]):])
}

func FuzzWholeJPEG(f *testing.F) {
	f.Add(goodJPEG)
	f.Add(goodJPEG[:10])
	f.Add([]byte{0xff, 0xd8, 0xff, 0xd9})
	f.Fuzz(func(t *testing.T, data []byte) {
		if whole, ok := wholeJPEG(data); ok && (len(whole) > len(data)+420 || !bytes.HasSuffix(whole, []byte{0xff, 0xd9})) {
			t.Errorf("%x from %x", whole, data)
		}
	})
}

func TestStructSize(t *testing.T) {
	if ioctlQueryControl != 0xc0445624 {
		t.Errorf("VIDIOC_QUERYCTRL is %#x", ioctlQueryControl)
	}
}
