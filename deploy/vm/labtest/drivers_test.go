package labtest

import (
	"bufio"
	"bytes"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/deploy/vm/uvcsim"
)

// These tests prove the lab itself, without Waldo's programs: the drivers load, the kernel accepts the simulated
// webcam, and the cable can be pulled.

func TestVividDelivers(t *testing.T) {
	requireLab(t)
	device := loadVivid(t)
	for _, format := range []string{"YUYV", "NV12"} {
		out := filepath.Join(t.TempDir(), format)
		command(t, "v4l2-ctl", "-d", device, "--set-fmt-video=width=320,height=180,pixelformat="+format,
			"--stream-mmap", "--stream-count=10", "--stream-to="+out)
		info, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int64{"YUYV": 320 * 180 * 2, "NV12": 320 * 180 * 3 / 2}[format] * 10; info.Size() != want {
			t.Errorf("%s: 10 pictures are %d bytes, want %d", format, info.Size(), want)
		}
	}
}

func TestWebcamIsOneToTheKernel(t *testing.T) {
	requireLab(t)
	_, device := plugIn(t, uvcsim.New())
	formats := command(t, "v4l2-ctl", "-d", device, "--list-formats-ext")
	for _, size := range uvcsim.Sizes() {
		if want := fmt.Sprintf("%dx%d", size.Width, size.Height); !strings.Contains(formats, want) {
			t.Errorf("size %s is not offered:\n%s", want, formats)
		}
	}
	if info := command(t, "v4l2-ctl", "-d", device, "--info"); !strings.Contains(info, "uvcvideo") {
		t.Errorf("another driver took the webcam:\n%s", info)
	}
	links, err := filepath.Glob("/dev/v4l/by-id/*" + uvcsim.Serial + "*index0")
	if err != nil || len(links) != 1 {
		t.Errorf("links by id: %q, %v; want one", links, err)
	}
	command(t, "v4l2-ctl", "-d", device, "--set-ctrl=brightness=200")
	if got := command(t, "v4l2-ctl", "-d", device, "--get-ctrl=brightness"); strings.TrimSpace(got) != "brightness: 200" {
		t.Errorf("brightness set to 200 reads %q", got)
	}
}

func TestWebcamPicturesArriveWhole(t *testing.T) {
	requireLab(t)
	_, device := plugIn(t, uvcsim.New())
	for _, size := range uvcsim.Sizes() {
		t.Run(fmt.Sprintf("%dx%d", size.Width, size.Height), func(t *testing.T) {
			s := startStream(t, device, size)
			last := int64(-1)
			for range 5 {
				picture := s.next(t)
				number, err := uvcsim.Check(picture)
				if err != nil {
					t.Fatal(err)
				}
				if int64(number) <= last {
					t.Errorf("picture %d came after %d", number, last)
				}
				last = int64(number)
				img, err := jpeg.Decode(bytes.NewReader(picture))
				if err != nil {
					t.Fatal(err)
				}
				if got := (uvcsim.Size{Width: img.Bounds().Dx(), Height: img.Bounds().Dy()}); got != size {
					t.Errorf("size %v, want %v", got, size)
				}
				if got, want := uvcsim.BarPosition(img), int(number%uvcsim.BarPositions); got != want {
					t.Errorf("picture %d: the bar stands at %d, want %d", number, got, want)
				}
			}
		})
	}
}

func TestWebcamUnplugWhileStreaming(t *testing.T) {
	requireLab(t)
	camera := uvcsim.New()
	for range 2 {
		plugged, device := plugIn(t, camera)
		s := startStream(t, device, uvcsim.Size{Width: 320, Height: 240})
		s.next(t)
		unplug(t, plugged)
		for { // pictures under way may still arrive; then the reader must see the end
			if _, err := s.read(); err != nil {
				break
			}
		}
	}
}

// stream is v4l2-ctl streaming Motion JPEG to the test.
type stream struct{ pictures *bufio.Scanner }

func startStream(t *testing.T, device string, size uvcsim.Size) *stream {
	t.Helper()
	format := fmt.Sprintf("--set-fmt-video=width=%d,height=%d,pixelformat=MJPG", size.Width, size.Height)
	cmd := exec.CommandContext(t.Context(), "v4l2-ctl", "-d", device, format, "--stream-mmap", "--stream-to=-")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	s := &stream{bufio.NewScanner(out)}
	s.pictures.Buffer(nil, 1<<20)
	s.pictures.Split(splitPictures)
	return s
}

// splitPictures cuts a stream of JPEGs at their ends. The end marker cannot occur in the data of a JPEG.
func splitPictures(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.Index(data, []byte{0xFF, 0xD9}); i >= 0 {
		return i + 2, data[:i+2], nil
	}
	if atEOF {
		return len(data), nil, io.EOF
	}
	return 0, nil, nil
}

func (s *stream) read() ([]byte, error) {
	if !s.pictures.Scan() {
		return nil, io.EOF
	}
	return s.pictures.Bytes(), nil
}

func (s *stream) next(t *testing.T) []byte {
	t.Helper()
	picture, err := s.read()
	if err != nil {
		t.Fatalf("the stream ended: %v", s.pictures.Err())
	}
	return picture
}
