package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/viewer"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/window"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
)

// maxViewRate bounds --fps, as frame_rate_hz is bounded.
const maxViewRate = 1000

// defaultView is the size of a window for a camera that does not say how large its pictures are.
const defaultViewWidth, defaultViewHeight = 1280, 720

type viewCommand struct {
	remote `embed:""`
	Device string     `arg:"" help:"Name of the camera, for example front, or demo/front."`
	Size   windowSize `placeholder:"WxH" help:"Size of the window, for example 640x480. Default: that of the pictures, if the screen has room."`
	FPS    float64    `name:"fps" placeholder:"N" help:"The most pictures in a second. Default: all."`
	Stream string     `placeholder:"NAME" help:"Read this stream of JPEG over the bus. Default: by gRPC if the device can be reached, else video-jpeg."`
}

// windowSize is a width and a height.
type windowSize struct{ width, height int }

// UnmarshalText reads 640x480.
func (s *windowSize) UnmarshalText(text []byte) error {
	width, height, _ := strings.Cut(string(text), "x")
	var errs [2]error
	s.width, errs[0] = strconv.Atoi(width)
	s.height, errs[1] = strconv.Atoi(height)
	if errors.Join(errs[:]...) != nil || min(s.width, s.height) < 1 || max(s.width, s.height) > media.MaxSize {
		return fmt.Errorf("%.20q is not a size: use one like 640x480, up to %dx%d", text, media.MaxSize, media.MaxSize)
	}
	return nil
}

// Help explains the command.
func (*viewCommand) Help() string {
	return `The window shows the newest picture, how many come in a second, and how old it is, which is right if the clocks of
both machines agree. It stays when the camera is away or its process crashes, says so, and goes on. ESC closes it.

  waldo view front
  waldo view front --size 640x360 --fps 10
  WALDO_NATS=nats://robot:4222 WALDO_TOKEN=… waldo view front      # from another machine

It needs X11, as Wayland desktops have it by XWayland. Without a screen, or over a slow network, open
/mjpeg/front or the page of the gateway in a browser instead.`
}

// Validate implements kong's check of the command line.
func (v *viewCommand) Validate() error {
	if v.FPS < 0 || v.FPS > maxViewRate || math.IsNaN(v.FPS) {
		return fmt.Errorf("--fps: %v is not a rate: use a number up to %d, or 0 for all", v.FPS, maxViewRate)
	}
	return nil
}

// Run shows the camera until the window is closed.
func (v *viewCommand) Run(ctx context.Context, c console) error {
	c = c.plain()
	return v.attach(ctx, func(ctx context.Context, conn *bus.Conn) error {
		address, err := v.find(ctx, conn, v.Device)
		if err != nil {
			return err
		}
		w, err := v.open(ctx, conn, address)
		if errors.Is(err, window.ErrNoDisplay) {
			return fmt.Errorf("%w: run it in a desktop (Wayland's XWayland sets DISPLAY, and so does ssh -X), open "+
				"http://<gateway>/mjpeg/%s in a browser, or take a picture with `waldo snapshot`", err, address.Device)
		}
		if err != nil {
			return err
		}
		defer w.Close()
		return viewer.Run(ctx, viewer.Config{
			Conn: conn, Address: address, Token: v.Token, Rate: v.FPS, Stream: v.Stream, Window: w,
			Say: func(what string) { _, _ = fmt.Fprintln(c.err, what) },
		})
	})
}

// open opens a window for the pictures of a device.
func (v *viewCommand) open(ctx context.Context, conn *bus.Conn, a bus.Address) (*window.Window, error) {
	size := v.Size
	if size == (windowSize{}) {
		size = windowSize{defaultViewWidth, defaultViewHeight}
		ctx, cancel := context.WithTimeout(ctx, v.Timeout)
		defer cancel()
		device := devicev1.NewDeviceServiceClient(conn.Client(a))
		if r, err := device.GetDevice(ctx, &devicev1.GetDeviceRequest{}); err == nil {
			size = pictureSize(r.GetDevice().GetAttributes(), size)
		}
	}
	return window.Open("waldo: "+a.String(), size.width, size.height)
}

// pictureSize is the size of a camera's pictures, as its attributes tell it.
func pictureSize(attributes map[string]string, otherwise windowSize) windowSize {
	var size windowSize
	if size.UnmarshalText([]byte(attributes["width_px"]+"x"+attributes["height_px"])) != nil {
		return otherwise
	}
	return size
}
