// Package camera is the device kind "camera": its configuration, and the drivers to choose from. What a camera does
// with a driver's pictures is in package video/camera.
package camera

import (
	"context"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/services/camera/file"
	"github.com/waldo-robot/waldo/services/camera/sim"
	"github.com/waldo-robot/waldo/services/camera/v4l2"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/testsource"
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "camera", Version: version.Version, Defaults: Defaults(), New: newDriver,
		Beside: func(c Config) bool { return !c.isDevice() }}
}

func newDriver(kit *device.Kit, config Config) (device.Driver, error) {
	return newDriverOf(kit, config, func(ctx context.Context) (source.Source,
		error) {
		return open(ctx, config, kit)
	}), nil
}

func newDriverOf(kit *device.Kit, config Config, open func(context.Context) (source.Source, error)) *camera.Driver {
	return camera.New(kit, config.output(), open)
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
