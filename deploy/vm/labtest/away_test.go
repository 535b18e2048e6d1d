package labtest

import (
	"os"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/deploy/vm/uvcsim"
)

// webcamByID is the webcam's name, independent of the number that the kernel gives it.
const webcamByID = "/dev/v4l/by-id/usb-Waldo_Simulated_Camera_" + uvcsim.Serial + "-video-index0"

func TestUnplugWhileStreaming(t *testing.T) {
	requireLab(t)
	webcam := uvcsim.New()
	plugged, _ := plugIn(t, webcam)
	p := startCamera(t, firstAddress, "--source", webcamByID, "--format", "MJPEG", "--width", "320", "--height", "240")
	before := p.awaitReady()
	r := p.read(jpegFormat())
	sequence := r.next().GetSequence()
	for range 2 {
		unplug(t, plugged)
		away := p.awaitAway()
		sameProcess(t, before, away)
		if away.GetStateReason() == "" {
			t.Error("away without a reason")
		}
		if _, err := p.cameras.CaptureFrame(p.context(),
			&camerav1.CaptureFrameRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("CaptureFrame while away: %v, want Unavailable", err)
		}
		old := webcam.Pictures()
		plugged, _ = plugIn(t, webcam)
		start := time.Now()
		sameProcess(t, before, p.awaitReady())
		sequence = newPicture(t, r, before.GetEpoch(), sequence, old)
		t.Logf("a new picture on the open call after %.2f s", time.Since(start).Seconds())
	}
}

// newPicture keeps reading from a call that stayed open, until a picture arrives that the webcam sent as number first
// or later, and returns its sequence.
func newPicture(t *testing.T, r *reader, epoch, sequence int64, first uint32) int64 {
	t.Helper()
	for {
		f := r.next()
		number, err := uvcsim.Check(f.GetData())
		if err != nil {
			t.Errorf("frame %d is not as the webcam sent it: %v", f.GetSequence(), err)
		}
		if f.GetEpoch() != epoch || f.GetSequence() <= sequence {
			t.Errorf("frame %d of epoch %d came after %d of %d", f.GetSequence(), f.GetEpoch(), sequence, epoch)
		}
		if sequence = f.GetSequence(); err == nil && number >= first {
			return sequence
		}
	}
}

func TestUnplugWhileNobodyLooks(t *testing.T) {
	requireLab(t)
	webcam := uvcsim.New()
	plugged, _ := plugIn(t, webcam)
	p := startCamera(t, firstAddress, "--source", webcamByID)
	before := p.awaitReady()
	for range 2 {
		unplug(t, plugged)
		sameProcess(t, before, p.awaitAway())
		plugged, _ = plugIn(t, webcam)
		sameProcess(t, before, p.awaitReady())
	}
	if _, err := p.cameras.CaptureFrame(p.context(), &camerav1.CaptureFrameRequest{}); err != nil {
		t.Errorf("after it came back: %v", err)
	}
}

func TestNothingIsCapturedWhileNobodyLooks(t *testing.T) {
	requireLab(t)
	webcam := uvcsim.New()
	_, device := plugIn(t, webcam)
	p := startCamera(t, firstAddress, "--source", device, "--width", "320", "--height", "240")
	p.awaitReady()
	const idle = 2 * time.Second
	settled := webcam.Pictures() // without the pictures that the service took to try the camera
	time.Sleep(idle)
	if n := webcam.Pictures() - settled; n != 0 {
		t.Errorf("without viewers the webcam sent %d pictures in %v", n, idle)
	}
	if _, err := p.cameras.CaptureFrame(p.context(), &camerav1.CaptureFrameRequest{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "capture stopped after the only picture", func() bool {
		n := webcam.Pictures()
		time.Sleep(idle / 4)
		return webcam.Pictures() == n
	})
}

// A camera that another program uses is busy, not broken: it is available as soon as that program releases it.
func TestBusyCamera(t *testing.T) {
	requireLab(t)
	device := loadVivid(t)
	release := otherProgram(t, device)
	p := startCamera(t, firstAddress, "--source", device, "--width", "320", "--height", "180")
	p.awaitAway("busy", device)
	release()
	p.awaitReady()
	p.read(jpegFormat()).next()
}

// Two of Waldo's programs on one camera: the one that streams keeps it.
func TestTwoProcessesOneCamera(t *testing.T) {
	requireLab(t)
	device := loadVivid(t)
	first := startCamera(t, firstAddress, "--source", device, "--width", "320", "--height", "180")
	first.awaitReady()
	frames := first.read(jpegFormat())
	frames.next()
	second := startCamera(t, secondAddress, "--source", device, "--width", "320", "--height", "180")
	second.awaitAway("busy", device)
	frames.next()
}

func TestNotACamera(t *testing.T) {
	requireLab(t)
	plugIn(t, uvcsim.New())
	nodes := devicesOf(uvcsim.Product)
	if len(nodes) != 2 {
		t.Fatalf("device files %q, want one for pictures and one for metadata", nodes)
	}
	for name, device := range map[string]string{"metadata": nodes[1], "no video device": "/dev/null"} {
		t.Run(name, func(t *testing.T) {
			p := startCamera(t, firstAddress, "--source", device)
			p.awaitAway("not a capture device", device)
		})
	}
}

func TestMissingCamera(t *testing.T) {
	requireLab(t)
	if _, err := os.Stat(webcamByID); err == nil {
		t.Fatalf("%s exists", webcamByID)
	}
	p := startCamera(t, firstAddress, "--source", webcamByID)
	before := p.awaitAway(webcamByID)
	if _, err := p.cameras.ListFormats(p.context(),
		&camerav1.ListFormatsRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("ListFormats while away: %v, want Unavailable", err)
	}
	plugIn(t, uvcsim.New())
	sameProcess(t, before, p.awaitReady())
}
