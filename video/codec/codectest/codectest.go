// Package codectest checks that an encoder keeps the contract of package codec. Every inter-coded codec's tests run it.
// What was encoded is decoded by ffmpeg, which shares no code with the libraries that encode.
package codectest

import (
	"bytes"
	"math"
	"os/exec"
	"strconv"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// Container puts the packets of one encoder into a file format that ffmpeg knows by the name it returns, such as
// `h264`.
type Container func(f *mediav1.VideoFormat, packets []codec.Packet) (name string, file []byte)

// Run checks an inter-coded codec.
func Run(t *testing.T, c codec.Codec, wrap Container) {
	s := &suite{Codec: c, wrap: wrap}
	for name, check := range map[string]func(*testing.T){
		"key frames first and on request":  s.keyFrames,
		"no key frame at a cut":            s.cut,
		"bitrate":                          s.bitrate,
		"bitrate of a slow camera":         s.slowCamera,
		"bitrate at another rate":          s.otherRate,
		"time may go back":                 s.times,
		"every size":                       s.sizes,
		"views into larger pictures":       s.views,
		"another size needs a new encoder": s.resized,
		"noise":                            s.noise,
		"close":                            s.close,
	} {
		t.Run(name, check)
	}
}

type suite struct {
	codec.Codec
	wrap Container
}

const rate = 30

func (s *suite) format(width, height int) *mediav1.VideoFormat {
	f := &mediav1.VideoFormat{MediaType: s.MediaType, FrameRateHz: rate}
	width, height = media.Even(f, width, height)
	f.WidthPx, f.HeightPx = int32(width), int32(height)
	return f
}

// stream is an encoder with the pictures that went in and the packets that came out.
type stream struct {
	suite    *suite
	format   *mediav1.VideoFormat
	encoder  codec.Encoder
	at       time.Time
	pictures []*media.I420
	packets  []codec.Packet
}

func (s *suite) open(t *testing.T, width, height, bitrate int) *stream {
	t.Helper()
	f := s.format(width, height)
	e, err := s.NewEncoder(f, codec.Options{Bitrate: bitrate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return &stream{suite: s, format: f, encoder: e, at: time.Unix(1000, 0)}
}

// add encodes a picture that follows the previous one after the given time.
func (s *stream) add(t *testing.T, img *media.I420, key bool, after time.Duration) codec.Packet {
	t.Helper()
	s.at = s.at.Add(after)
	p, err := s.encoder.Encode(img, key, s.at)
	if err != nil {
		t.Fatalf("picture %d: %v", len(s.packets), err)
	}
	if len(p.Data) == 0 {
		t.Fatalf("picture %d was skipped", len(s.packets))
	}
	s.pictures, s.packets = append(s.pictures, img), append(s.packets, p)
	return p
}

func (s *stream) picture(i int) *media.I420 {
	return yuvtest.Picture(int(s.format.GetWidthPx()), int(s.format.GetHeightPx()), i)
}

// decodes lets ffmpeg decode everything, and compares the pictures.
func (s *stream) decodes(t *testing.T, worst float64) {
	t.Helper()
	for i, img := range s.decoded(t) {
		if i == len(s.pictures) {
			t.Fatalf("more than %d pictures come out", i)
		}
		if psnr := yuvtest.WorstPSNR(s.pictures[i], img); psnr < worst {
			t.Errorf("picture %d comes out at %.1f dB, want %.0f", i, psnr, worst)
		}
	}
}

func (s *stream) decoded(t *testing.T) (pictures []*media.I420) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("SKIPPED: ffmpeg (Debian: ffmpeg), which decodes the result, is not installed; `make test` installs it")
	}
	name, file := s.suite.wrap(s.format, s.packets)
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", name, "-i", "-", "-fps_mode", "passthrough", "-f", "rawvideo",
		"-pix_fmt", "yuv420p", "-")
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(file), &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Fatalf("ffmpeg does not decode it: %v\n%s", err, &complaints)
	}
	w, h := int(s.format.GetWidthPx()), int(s.format.GetHeightPx())
	size := media.I420Size(w, h)
	if out.Len() != size*len(s.packets) {
		t.Fatalf("ffmpeg gives %d bytes for %d pictures of %d", out.Len(), len(s.packets), size)
	}
	for range s.packets {
		img, err := media.I420FromPacked(out.Next(size), w, h)
		if err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, img)
	}
	return pictures
}

func (s *suite) keyFrames(t *testing.T) {
	e := s.open(t, 96, 64, 300_000)
	for i := range 400 {
		wanted := i == 100 || i == 101
		if p := e.add(t, e.picture(i), wanted, time.Second/rate); p.Key != (i == 0 || wanted) {
			t.Fatalf("picture %d: key frame %v", i, p.Key)
		}
	}
	e.decodes(t, 28)
	e.packets, e.pictures = e.packets[101:], e.pictures[101:] // a reader that begins at a key frame
	e.decodes(t, 28)
}

func (s *suite) cut(t *testing.T) {
	e := s.open(t, 640, 480, 500_000)
	for i := range 45 {
		img := e.picture(i)
		if i%30 >= 15 {
			img = yuvtest.Noise(640, 480, 1)
		}
		if p := e.add(t, img, false, time.Second/rate); p.Key != (i == 0) {
			t.Errorf("picture %d: key frame %v", i, p.Key)
		}
	}
}

// bits encodes grainy moving pictures, and returns the bits per second once they have settled.
func (s *stream) bits(t *testing.T, settle, seconds, perSecond int) float64 {
	t.Helper()
	bits := 0
	for i := range (settle + seconds) * perSecond {
		img := yuvtest.Grain(s.picture(i), 12, uint64(i))
		p := s.add(t, img, false, time.Second/time.Duration(perSecond))
		if i >= settle*perSecond {
			bits += 8 * len(p.Data)
		}
	}
	return float64(bits) / float64(seconds)
}

func (s *suite) bitrate(t *testing.T) {
	e := s.open(t, 320, 240, 1_500_000)
	for _, bps := range []int{1_500_000, 400_000, 1_000_000} {
		if err := e.encoder.(codec.BitrateSetter).SetBitrate(bps); err != nil {
			t.Fatal(err)
		}
		if got := e.bits(t, 2, 2, rate); math.Abs(got-float64(bps)) > 0.3*float64(bps) {
			t.Errorf("asked for %d bit/s, got %.0f", bps, got)
		}
	}
	if err := e.encoder.(codec.BitrateSetter).SetBitrate(0); err == nil {
		t.Error("a bitrate of 0 is not an error")
	}
	e.decodes(t, 24)
}

// slowCamera delivers pictures at half the announced rate, as in the dark: the bitrate stays the same.
func (s *suite) slowCamera(t *testing.T) {
	const target = 400_000
	e := s.open(t, 320, 240, target)
	if got := e.bits(t, 3, 3, rate/2); math.Abs(got-target) > 0.3*target {
		t.Errorf("%.0f bit/s, want about %d", got, target)
	}
}

// otherRate announces that other many pictures come in a second: their bits are shared out to them at once.
func (s *suite) otherRate(t *testing.T) {
	const target = 600_000
	e := s.open(t, 320, 240, target)
	e.bits(t, 2, 2, rate)
	for _, hz := range []int{rate / 3, rate} {
		if err := e.encoder.(codec.RateSetter).SetRate(float64(hz)); err != nil {
			t.Fatal(err)
		}
		if got := e.bits(t, 0, 1, hz); math.Abs(got-target) > 0.3*target {
			t.Errorf("%d pictures a second: %.0f bit/s in the first one, want about %d", hz, got, target)
		}
	}
}

func (s *suite) times(t *testing.T) {
	e := s.open(t, 64, 48, 0)
	for i, jump := range []time.Duration{0, time.Second, -time.Hour, 0, time.Nanosecond, 2 * time.Hour} {
		e.add(t, e.picture(i), false, jump)
	}
	e.decodes(t, 28)
}

func (s *suite) sizes(t *testing.T) {
	for _, size := range [][2]int{{16, 16}, {17, 19}, {642, 361}, {16, 4096}, {4096, 16}, {1921, 1081}} {
		t.Run(strconv.Itoa(size[0])+"x"+strconv.Itoa(size[1]), func(t *testing.T) {
			e := s.open(t, size[0], size[1], 0)
			for i := range 3 {
				e.add(t, e.picture(i), i == 2, time.Second/rate)
			}
			e.decodes(t, 26)
		})
	}
	for _, size := range [][2]int{{0, 480}, {640, 0}, {-2, 480}, {4098, 16}, {16, 8192}, {4096, 4096}} {
		if e, err := s.NewEncoder(s.format(size[0], size[1]), codec.Options{}); err == nil {
			_ = e.Close()
			t.Errorf("%v is not an error", size)
		}
	}
}

func (s *suite) views(t *testing.T) {
	whole := yuvtest.Picture(640, 480, 0)
	view := &media.I420{Width: 320, Height: 240, StrideY: 640, StrideC: 320,
		Y: whole.Y[100*640+60:], U: whole.U[50*320+30:], V: whole.V[50*320+30:]}
	e := s.open(t, 320, 240, 0)
	e.add(t, view, false, 0)
	e.decodes(t, 28)
}

func (s *suite) resized(t *testing.T) {
	e := s.open(t, 64, 48, 0)
	e.add(t, e.picture(0), false, 0)
	short := media.NewI420(64, 48)
	short.V = short.V[:100]
	for name, img := range map[string]*media.I420{"smaller": media.NewI420(64, 46), "larger": media.NewI420(128, 96),
		"cut": short, "nothing": nil} {
		if _, err := e.encoder.Encode(img, false, time.Now()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	e.add(t, e.picture(1), false, time.Second/rate) // the encoder still works
	e.decodes(t, 28)
}

// noise is the hardest content to encode, at rates that are far too low and far too high for it.
func (s *suite) noise(t *testing.T) {
	for _, bitrate := range []int{50_000, 50_000_000} {
		e := s.open(t, 320, 240, bitrate)
		for i := range 20 {
			e.add(t, yuvtest.Noise(320, 240, uint64(i)), i == 10, time.Second/rate)
		}
		e.decoded(t)
	}
}

func (s *suite) close(t *testing.T) {
	e := s.open(t, 64, 48, 0)
	for range 2 {
		if err := e.encoder.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := e.encoder.Encode(e.picture(0), false, time.Now()); err == nil {
		t.Error("Encode after Close is not an error")
	}
	if err := e.encoder.(codec.BitrateSetter).SetBitrate(100_000); err == nil {
		t.Error("SetBitrate after Close is not an error")
	}
}
