package v4l2

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"

	kernel "github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/video/source"
)

const (
	// The driver's buffers: one being filled, one being read, two for when this process gets no CPU time.
	buffers = 4
	// stalled is how long a stream may be silent before the camera counts as gone.
	stalled = 5 * time.Second
)

// kernelNode is a node of the real kernel. It is not safe for concurrent use, except that all system calls are: the
// kernel orders them.
type kernelNode struct {
	path string
	fd   uintptr
}

func openKernel(path string) (node, error) {
	stat, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w: the device does not exist%s", path, device.ErrAway, present())
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %w", path, device.ErrAway, err)
	case stat.Mode()&fs.ModeCharDevice == 0:
		return nil, fmt.Errorf("%s: %w: not a device", path, source.ErrNotCamera)
	}
	fd, err := kernel.OpenDevice(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return nil, fmt.Errorf("%s: no permission: add the user to the group that owns it (usually video): %w", path, err)
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("%s: %w: another program uses it", path, device.ErrBusy)
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %w", path, device.ErrAway, err)
	}
	return &kernelNode{path, fd}, nil
}

// present lists the video devices of this machine, for an error message.
func present() string {
	names, _ := os.ReadDir("/dev") // if it cannot be read, the message is shorter
	var video []string
	for _, n := range names {
		if strings.HasPrefix(n.Name(), "video") {
			video = append(video, "/dev/"+n.Name())
		}
	}
	if len(video) == 0 {
		return "; this machine has no video devices: is the camera plugged in?"
	}
	return "; there is " + strings.Join(video, ", ")
}

// explain maps errors of the kernel to the causes of package source. go4vl loses the number of some; for those it asks
// the device whether it is still there.
func (k *kernelNode) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: another program uses it: %w", device.ErrBusy, err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, kernel.ErrorSystem):
		return fmt.Errorf("%w: it was unplugged, or failed: %w", device.ErrAway, err)
	}
	return err
}

func (k *kernelNode) identity() (identity, error) {
	c, err := kernel.GetCapability(k.fd)
	if errors.Is(err, kernel.ErrorUnsupported) || errors.Is(err, kernel.ErrorBadArgument) {
		return identity{}, fmt.Errorf("%w: not a video device", source.ErrNotCamera)
	}
	if err != nil {
		return identity{}, k.explain(err)
	}
	has := c.GetCapabilities()
	return identity{
		driver: c.Driver, card: c.Card, bus: c.BusInfo,
		capture: has&kernel.CapVideoCapture != 0 && has&kernel.CapStreaming != 0,
		planar:  has&kernel.CapVideoCaptureMPlane != 0 && has&kernel.CapVideoCapture == 0,
	}, nil
}

// commonSizes stand for a range of sizes.
var commonSizes = [][2]int{{320, 240}, {640, 360}, {640, 480}, {800, 600}, {1280, 720}, {1920, 1080}, {3840, 2160}}

func (k *kernelNode) modes() ([]mode, error) {
	descriptions, err := kernel.GetAllFormatDescriptions(k.fd)
	if len(descriptions) == 0 && err != nil {
		return nil, k.explain(err)
	}
	var all []mode
	for _, d := range descriptions {
		sizes, _ := kernel.GetFormatFrameSizes(k.fd, d.PixelFormat) // a driver need not list them
		for _, size := range expand(sizes) {
			m := mode{fourcc: d.PixelFormat, width: size[0], height: size[1]}
			m.rate = k.fastest(m)
			all = append(all, m)
		}
		if len(sizes) == 0 {
			all = append(all, mode{fourcc: d.PixelFormat})
		}
	}
	return all, nil
}

// expand lists discrete sizes, and the common sizes within a range.
func expand(sizes []kernel.FrameSizeEnum) [][2]int {
	var out [][2]int
	for _, s := range sizes {
		r := s.Size
		if s.Type == kernel.FrameSizeTypeDiscrete {
			out = append(out, [2]int{int(r.MinWidth), int(r.MinHeight)})
			continue
		}
		for _, c := range commonSizes {
			if c[0] >= int(r.MinWidth) && c[0] <= int(r.MaxWidth) && c[1] >= int(r.MinHeight) && c[1] <= int(r.MaxHeight) {
				out = append(out, c)
			}
		}
	}
	return out
}

// fastest is the highest rate listed for a mode, 0 if none is listed.
func (k *kernelNode) fastest(m mode) (rate float64) {
	for i := range uint32(64) {
		e, err := kernel.GetFormatFrameInterval(k.fd, i, m.fourcc, uint32(m.width), uint32(m.height))
		if err != nil || e.Type != kernel.FrameIntervalTypeDiscrete { // go4vl reads ranges from the wrong place
			return rate
		}
		rate = max(rate, hertz(e.Interval.Min))
	}
	return rate
}

// hertz converts the duration of a frame to a rate.
func hertz(t kernel.Fract) float64 {
	if t.Numerator == 0 {
		return 0
	}
	return math.Round(float64(t.Denominator)/float64(t.Numerator)*1000) / 1000
}

func (k *kernelNode) current() (mode, error) {
	f, err := kernel.GetPixFormat(k.fd)
	if err != nil {
		return mode{}, k.explain(err)
	}
	m := mode{fourcc: f.PixelFormat, width: int(f.Width), height: int(f.Height), stride: int(f.BytesPerLine)}
	if p, err := kernel.GetStreamParam(k.fd, kernel.BufTypeVideoCapture); err == nil { // not all drivers report their rate
		m.rate = hertz(p.Capture.TimePerFrame)
	}
	return m, nil
}

func (k *kernelNode) set(m mode) error {
	err := kernel.SetPixFormat(k.fd, kernel.PixFormat{
		Width: uint32(m.width), Height: uint32(m.height), PixelFormat: m.fourcc, Field: kernel.FieldNone})
	if err != nil || m.rate == 0 {
		return k.explain(err)
	}
	var p kernel.StreamParam
	p.Capture.TimePerFrame = kernel.Fract{Numerator: 1000, Denominator: uint32(math.Round(m.rate * 1000))}
	if err := kernel.SetStreamParam(k.fd, kernel.BufTypeVideoCapture, p); err != nil &&
		!errors.Is(err, kernel.ErrorUnsupported) &&
		!errors.Is(err, kernel.ErrorBadArgument) { // a camera with a fixed rate refuses; its rate is read afterwards
		return k.explain(err)
	}
	return nil
}

func (k *kernelNode) close() error { return kernel.CloseDevice(k.fd) }
