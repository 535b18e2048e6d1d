// Package camera is the kind of device "camera": it reads the configuration, opens the source it names, and joins it with the
// pipeline, the gRPC service and the bus. Everything that runs is owned by the driver's Run, which package device calls.
package camera

import (
	"context"
	"strconv"
	"sync"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/services/camera/file"
	"github.com/waldo-robot/waldo/services/camera/sim"
	"github.com/waldo-robot/waldo/services/camera/v4l2"
	"github.com/waldo-robot/waldo/video/encode"
	"github.com/waldo-robot/waldo/video/pipeline"
	"github.com/waldo-robot/waldo/video/service"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/testsource"
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "camera", Version: version.Version, Defaults: Defaults(), New: newDriver}
}

// driver works one camera.
type driver struct {
	kit      *device.Kit
	open     func(ctx context.Context) (source.Source, error)
	pipeline *pipeline.Pipeline
	service  *service.Service
	video    *device.Out[*mediav1.VideoFrame]
}

func newDriver(kit *device.Kit, config Config) (device.Driver, error) {
	return newDriverOf(kit, config, func(ctx context.Context) (source.Source, error) { return open(ctx, config, kit) }), nil
}

func newDriverOf(kit *device.Kit, config Config, open func(context.Context) (source.Source, error)) *driver {
	p := pipeline.New(pipeline.Config{
		Epoch: kit.Epoch(), Bitrate: config.Bitrate, JPEGQuality: config.JPEGQuality, Log: kit.Log, Metrics: kit.Metrics,
		Orientation: encode.Orientation{
			FlipHorizontal: config.FlipHorizontal, FlipVertical: config.FlipVertical, Rotate: config.Rotate,
		},
	})
	d := &driver{kit: kit, open: open, pipeline: p, service: service.New(p)}
	camerav1.RegisterCameraServiceServer(kit, d.service)
	d.video = device.NewOut[*mediav1.VideoFrame](kit, "video", device.OutOptions{KeyFrameOnRequest: true})
	return d
}

// open opens the source that the configuration names.
func open(ctx context.Context, c Config, kit *device.Kit) (source.Source, error) {
	if c.FPS == 0 {
		c.FPS = defaultFPS
	}
	switch {
	case c.Source == "test":
		if c.Width == 0 {
			c.Width, c.Height = defaultWidth, defaultHeight
		}
		return testsource.Open(testsource.Config{
			Name: kit.Address().Device, Width: c.Width, Height: c.Height, FrameRate: c.FPS, Animated: c.Card == "animated"})
	case c.Source == "sim":
		if c.Follow == "" {
			c.Follow = defaultFollow
		}
		return sim.Open(newRover(kit, c.Follow), sim.Config{
			Width: c.Width, Height: c.Height, FrameRate: c.FPS, View: c.View, Name: c.Follow})
	case c.isDevice():
		return v4l2.Open(ctx, c.Source, v4l2.Config{
			Width: c.Width, Height: c.Height, FrameRate: c.FPS, Format: c.Format, Controls: c.Controls})
	}
	return file.Open(c.Source, file.Config{FrameRate: c.FPS})
}

// Run opens the source and serves it until it goes or ctx ends. Readers over gRPC stay in between.
func (d *driver) Run(ctx context.Context, ready func()) error {
	err := d.run(ctx, ready)
	d.service.Detach(err)
	if ctx.Err() != nil {
		d.pipeline.Close() // for good: ends the calls under way
	}
	return err
}

func (d *driver) run(ctx context.Context, ready func()) error {
	src, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := src.Close(); err != nil {
			d.kit.Log.Warn("the camera could not be closed properly", "error", err)
		}
	}()
	d.describe(src.Info())
	d.service.Attach(src)
	ctx, cancel := context.WithCancel(ctx)
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()
	return d.pipeline.Run(ctx, src, func() {
		d.video.SetKeyFrameOnRequest(d.pipeline.KeyFrameOnRequest())
		publishing.Go(func() { d.whileHeld(ctx) })
		ready()
	})
}

// whileHeld publishes whenever somebody on the bus reads the stream.
func (d *driver) whileHeld(ctx context.Context) {
	if err := d.video.WhileHeld(ctx, d.publish); err != nil && ctx.Err() == nil {
		d.kit.Log.Error("the stream on the bus ended", "error", err)
	}
}

// publish sends the live stream to the bus until ctx ends.
func (d *driver) publish(ctx context.Context) error {
	r, err := d.pipeline.Open(&mediav1.VideoFormat{MediaType: media.H264})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		frame, err := r.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		d.video.Publish(frame)
	}
}

// describe shows what the hardware chose in the device's description.
func (d *driver) describe(info source.Info) {
	f := info.Current
	attributes := map[string]string{
		"media_type": f.GetMediaType(), "pixel_format": f.GetPixelFormat(),
		"width_px": strconv.Itoa(int(f.GetWidthPx())), "height_px": strconv.Itoa(int(f.GetHeightPx())),
		"frame_rate_hz": strconv.FormatFloat(f.GetFrameRateHz(), 'g', 6, 64),
	}
	for key, value := range info.Attributes {
		attributes[key] = value
	}
	d.kit.SetAttributes(attributes)
}
