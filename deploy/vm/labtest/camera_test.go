package labtest

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/deploy/vm/uvcsim"
)

func raw(pixelFormat string, width, height int32) *mediav1.VideoFormat {
	return &mediav1.VideoFormat{MediaType: "video/raw", PixelFormat: pixelFormat, WidthPx: width, HeightPx: height}
}

func jpegFormat() *mediav1.VideoFormat { return &mediav1.VideoFormat{MediaType: "image/jpeg"} }

// driverFormat asks the driver for its current format, with a program other than the one under test.
func driverFormat(t *testing.T, device string) (fourCC, size string) {
	t.Helper()
	text := command(t, "v4l2-ctl", "-d", device, "--get-fmt-video")
	m := regexp.MustCompile(`Width/Height\s*:\s*(\d+)/(\d+)\s+Pixel Format\s*:\s*'(....)'`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no format in:\n%s", text)
	}
	return m[3], m[1] + "x" + m[2]
}

func sizeOf(f *mediav1.VideoFormat) string {
	return fmt.Sprintf("%dx%d", f.GetWidthPx(), f.GetHeightPx())
}

func TestVividCapture(t *testing.T) {
	requireLab(t)
	device := loadVivid(t)
	for _, pixelFormat := range []string{"YUYV", "NV12"} {
		t.Run(pixelFormat, func(t *testing.T) {
			p := startCamera(t, firstAddress, "--source", device, "--format", pixelFormat,
				"--width", "320", "--height", "180", "--fps", "30")
			p.awaitReady()
			formats := p.formats()
			fourCC, size := driverFormat(t, device)
			if got := formats.GetCurrentFormat(); got.GetPixelFormat() != pixelFormat || fourCC != pixelFormat ||
				sizeOf(got) != size {
				t.Errorf("current format %v, the driver has %s %s, want both to be %s", got, fourCC, size, pixelFormat)
			}
			if !offers(formats.GetNativeFormats(), pixelFormat, 640, 360) {
				t.Errorf("native formats do not have %s 640x360: %v", pixelFormat, formats.GetNativeFormats())
			}
			checkMovingPictures(t, p.read(raw("I420", 320, 180)), 320*180*3/2)
			checkMovingPictures(t, p.read(raw("YUYV", 160, 90)), 160*90*2)
			checkMovingPictures(t, p.read(raw("BGR24", 320, 180)), 320*180*3)
		})
	}
}

func offers(formats []*mediav1.VideoFormat, pixelFormat string, width, height int32) bool {
	for _, f := range formats {
		if f.GetPixelFormat() == pixelFormat && f.GetWidthPx() == width && f.GetHeightPx() == height {
			return true
		}
	}
	return false
}

// checkMovingPictures reads some raw pictures: each complete, in order, current, and different from the previous one.
func checkMovingPictures(t *testing.T, r *reader, size int) {
	t.Helper()
	last := r.next()
	start, gaps := last.GetCaptureTime().AsTime(), int64(0)
	const count = 10
	for range count {
		f := r.next()
		switch {
		case len(f.GetData()) != size:
			t.Fatalf("%v has %d bytes, want %d", f.GetFormat(), len(f.GetData()), size)
		case f.GetEpoch() != last.GetEpoch() || f.GetSequence() <= last.GetSequence():
			t.Fatalf("frame %d of epoch %d came after %d of %d", f.GetSequence(), f.GetEpoch(), last.GetSequence(),
				last.GetEpoch())
		case !f.GetCaptureTime().AsTime().After(last.GetCaptureTime().AsTime()):
			t.Errorf("frame %d was captured at %v, not after the last one", f.GetSequence(), f.GetCaptureTime().AsTime())
		case bytes.Equal(f.GetData(), last.GetData()):
			t.Errorf("frames %d and %d are the same picture", last.GetSequence(), f.GetSequence())
		}
		gaps += f.GetSequence() - last.GetSequence() - 1
		last = f
	}
	end := last.GetCaptureTime().AsTime()
	if age := time.Since(end); age < 0 || age > patience {
		t.Errorf("the last frame is %v old", age)
	}
	t.Logf("%v: %.1f frames/s, %d lost", last.GetFormat(), count/end.Sub(start).Seconds(), gaps)
}

func TestVividCaptureFrame(t *testing.T) {
	requireLab(t)
	p := startCamera(t, firstAddress, "--source", loadVivid(t), "--width", "320", "--height", "180")
	p.awaitReady()
	before := time.Now()
	response, err := p.cameras.CaptureFrame(p.context(), &camerav1.CaptureFrameRequest{})
	if err != nil {
		t.Fatal(err)
	}
	frame := response.GetFrame()
	img, err := jpeg.Decode(bytes.NewReader(frame.GetData()))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Size().String(); got != "(320,180)" {
		t.Errorf("picture of size %s, want (320,180)", got)
	}
	if at := frame.GetCaptureTime().AsTime(); at.Before(before) {
		t.Errorf("captured %v before it was requested", before.Sub(at))
	}
	t.Logf("one picture took %.2f s", time.Since(before).Seconds())
}

// Drivers silently choose the nearest size they support; the service must report the driver's choice.
func TestReportsWhatTheDriverChose(t *testing.T) {
	requireLab(t)
	device := loadVivid(t)
	p := startCamera(t, firstAddress, "--source", device, "--format", "YUYV", "--width", "334", "--height", "222")
	p.awaitReady()
	fourCC, size := driverFormat(t, device)
	current := p.formats().GetCurrentFormat()
	if sizeOf(current) != size || current.GetPixelFormat() != fourCC {
		t.Errorf("current format %v, but the driver has %s %s", current, fourCC, size)
	}
	if size == "334x222" {
		t.Error("the driver accepted 334x222: this test proves nothing")
	}
	t.Logf("asked for YUYV 334x222, got %v", current)
}

// A pixel format that the camera does not have is an error that names those it has. Vivid does not have Motion JPEG,
// and would deliver YUYV.
func TestFormatNotOffered(t *testing.T) {
	requireLab(t)
	p := startCamera(t, firstAddress, "--source", loadVivid(t), "--format", "MJPEG")
	p.awaitAway("mjpeg", "yuyv", "nv12")
}

func TestWebcamPassesThroughUntouched(t *testing.T) {
	requireLab(t)
	_, device := plugIn(t, uvcsim.New())
	p := startCamera(t, firstAddress, "--source", device, "--format", "MJPEG", "--width", "640", "--height", "480",
		"--fps", "15")
	p.awaitReady()
	if got := p.formats().GetCurrentFormat(); got.GetMediaType() != "image/jpeg" || sizeOf(got) != "640x480" ||
		got.GetFrameRateHz() != 15 {
		t.Errorf("current format %v, want image/jpeg 640x480 at 15", got)
	}
	r := p.read(jpegFormat())
	var start, end time.Time
	last := int64(-1)
	const count = 20
	for i := range count {
		f := r.next()
		number, err := uvcsim.Check(f.GetData())
		if err != nil {
			t.Fatalf("frame %d is not as the webcam sent it: %v", f.GetSequence(), err)
		}
		if int64(number) <= last || !f.GetKeyFrame() {
			t.Errorf("picture %d came after %d, key frame %v", number, last, f.GetKeyFrame())
		}
		last = int64(number)
		if i%4 == 0 {
			checkBar(t, f.GetData(), number)
		}
		if end = f.GetCaptureTime().AsTime(); start.IsZero() {
			start = end
		}
	}
	t.Logf("%.1f frames/s", (count-1)/end.Sub(start).Seconds())
}

// checkBar decodes a picture and checks that the bar is where its number puts it.
func checkBar(t *testing.T, picture []byte, number uint32) {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := uvcsim.BarPosition(img), int(number%uvcsim.BarPositions); got != want {
		t.Errorf("picture %d: the bar stands at %d, want %d", number, got, want)
	}
}

// A reader that requests another format than the webcam's gets a conversion: decoded, scaled, encoded again.
func TestWebcamDecodes(t *testing.T) {
	requireLab(t)
	_, device := plugIn(t, uvcsim.New())
	p := startCamera(t, firstAddress, "--source", device, "--width", "320", "--height", "240", "--fps", "10")
	p.awaitReady()
	checkMovingPictures(t, p.read(raw("I420", 160, 120)), 160*120*3/2)
	f := p.read(&mediav1.VideoFormat{MediaType: "image/jpeg", WidthPx: 160, HeightPx: 120}).next()
	img, err := jpeg.Decode(bytes.NewReader(f.GetData()))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Size().String(); got != "(160,120)" {
		t.Errorf("picture of size %s, want (160,120)", got)
	}
	if f := p.read(&mediav1.VideoFormat{MediaType: "video/H264"}).next(); !f.GetKeyFrame() ||
		!bytes.HasPrefix(f.GetData(), []byte{0, 0, 0, 1}) {
		t.Errorf("first H.264 frame: key frame %v, begins with % x", f.GetKeyFrame(), f.GetData()[:min(8, len(f.GetData()))])
	}
}

func TestWebcamControls(t *testing.T) {
	requireLab(t)
	_, device := plugIn(t, uvcsim.New())
	p := startCamera(t, firstAddress, "--source", device)
	p.awaitReady()
	got, err := p.cameras.GetControls(p.context(), &camerav1.GetControlsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	c := brightness(got.GetControls())
	if c.GetType() != camerav1.ControlType_CONTROL_TYPE_INTEGER || c.GetMinimum() != uvcsim.BrightnessMin ||
		c.GetMaximum() != uvcsim.BrightnessMax ||
		c.GetDefaultValue() != uvcsim.BrightnessDefault || c.GetValue() != uvcsim.BrightnessDefault {
		t.Errorf("brightness is %v", c)
	}
	set, err := p.cameras.SetControls(p.context(),
		&camerav1.SetControlsRequest{Values: map[string]int64{"brightness": 77}})
	if err != nil {
		t.Fatal(err)
	}
	if got := brightness(set.GetControls()).GetValue(); got != 77 {
		t.Errorf("brightness is %d after setting it to 77", got)
	}
	if text := command(t, "v4l2-ctl", "-d", device, "--get-ctrl=brightness"); strings.TrimSpace(text) != "brightness: 77" {
		t.Errorf("the driver reports %q after setting it to 77", text)
	}
	for name, c := range map[string]struct {
		values map[string]int64
		want   codes.Code
	}{
		"unknown":    {map[string]int64{"smell": 1}, codes.NotFound},
		"too bright": {map[string]int64{"brightness": 256}, codes.OutOfRange},
	} {
		if _, err := p.cameras.SetControls(p.context(),
			&camerav1.SetControlsRequest{Values: c.values}); status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func brightness(controls []*camerav1.Control) *camerav1.Control {
	for _, c := range controls {
		if c.GetName() == "brightness" {
			return c
		}
	}
	return nil
}
