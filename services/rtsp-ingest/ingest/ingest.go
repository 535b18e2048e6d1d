// Package ingest is the kind of device "rtsp-ingest": its configuration, and the protocols that the address chooses
// from. When to connect is decided by package connect; what a camera does with the pictures is in package video/camera.
package ingest

import (
	"context"
	"sync"
	"sync/atomic"

	ingestv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/connect"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/service"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/source"
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "rtsp-ingest", Version: version.Version, Defaults: Defaults(), OneCore: true,
		New: newDriver, Beside: beside}
}

// beside reports whether a camera lets two processes connect: one that publishes by itself, is moved or is spoken
// through has one at a time, and the Insta360 takes one connection.
func beside(c Config) bool {
	a, err := c.address()
	return c.Listen == "" && c.PTZ == nil && !c.Speaker && err == nil && a.Scheme != "insta360"
}

// driver is a camera with the line that it hangs on.
type driver struct {
	*camera.Driver
	kit     *device.Kit
	line    *connect.Line
	service *service.Service
	events  *device.Out[*ingestv1.ConnectionEvent]
	sound   *sound // nil if neither microphone nor speaker is wanted

	warned atomic.Bool

	once  sync.Once
	relay sync.WaitGroup
}

func newDriver(kit *device.Kit, c Config) (device.Driver, error) {
	dial, err := c.dialer(kit)
	if err != nil {
		return nil, err
	}
	if err := movePTZ(kit, c); err != nil { // first: after a crash the camera may be moving
		return nil, err
	}
	ways, err := c.keyFrames(kit)
	if err != nil {
		return nil, err
	}
	d := &driver{kit: kit}
	line := connect.Config{
		Dial: dial, Policy: c.policy(), Latency: c.Latency, Metrics: kit.Metrics, Pictures: newPictures, KeyFrames: ways,
		Renewed: d.renewed, Pushed: c.Listen != "",
	}
	if c.Sound || c.Speaker {
		if d.sound, err = newSound(kit, c, d.talk); err != nil {
			return nil, err
		}
		line.Sound = d.sound.add
	}
	d.line = connect.New(line)
	d.service = service.New(d.line)
	d.Driver = camera.New(kit, c.camera(), d.line.Open)
	ingestv1.RegisterIngestServiceServer(kit, d.service)
	d.events = device.NewOut[*ingestv1.ConnectionEvent](kit, "connection", device.OutOptions{})
	context.AfterFunc(kit.Stopping(), d.line.Close) // ends calls that watch
	kit.OnStop(d.relay.Wait)
	return d, nil
}

// Run implements [device.Driver].
func (d *driver) Run(ctx context.Context, ready func()) error {
	d.once.Do(func() { d.relay.Go(func() { d.service.Relay(d.kit.Epoch(), d.events.Publish) }) })
	if d.sound == nil {
		return d.Driver.Run(ctx, ready)
	}
	connected, stop := d.sound.start(ctx)
	err := d.Driver.Run(ctx, func() {
		connected()
		ready()
	})
	stop(err)
	return err
}

// talk opens the back channel of the camera.
func (d *driver) talk(ctx context.Context) (feed.Voice, error) { return d.line.Talk(ctx) }

// renewed keeps the device's description true. A warning is logged once: the description has it as long as it is true.
func (d *driver) renewed(info source.Info) {
	d.kit.SetAttributes(info.Attributes)
	if info.Note != "" && !d.warned.Swap(true) {
		d.kit.Log.Warn(info.Note)
	}
}

// address returns where the camera is.
func (c *Config) address() (address.Address, error) {
	password, err := c.secret()
	if err != nil {
		return address.Address{}, err
	}
	return address.Parse(c.URL, c.User, password)
}
