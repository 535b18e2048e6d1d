package uplink_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/uplink/uplink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var front = bus.Address{Robot: "rover", Device: "front"}

// camera is a device that sends frames of a size at a rate while it is held, beginning with a key frame.
type camera struct {
	camerav1.UnimplementedCameraServiceServer
	size     int
	interval time.Duration
	out      *device.Out[*mediav1.VideoFrame]
	control  *device.Out[*controlv1.ControlState]
	in       *device.In[*mediav1.AudioFrame]
	want     atomic.Bool  // a key frame
	asked    atomic.Int64 // for key frames
	limit    atomic.Int64 // in bit/s; 0 for none
	deaf     bool         // to limits
	heard    chan *mediav1.AudioFrame
	epoch    int64
}

func (c *camera) kind() device.Kind[struct{}] {
	return device.Kind[struct{}]{Name: "camera", Version: "1.0.0",
		New: func(k *device.Kit, _ struct{}) (device.Driver, error) {
			camerav1.RegisterCameraServiceServer(k, c)
			c.out = device.NewOut[*mediav1.VideoFrame](k, "video", device.OutOptions{MediaTypes: []string{media.H264}})
			c.control = device.NewOut[*controlv1.ControlState](k, "control", device.OutOptions{})
			c.in = device.NewIn[*mediav1.AudioFrame](k, "speaker", stream.DropOldest(10))
			c.epoch = k.Epoch()
			return c, nil
		}}
}

// Run implements [device.Driver].
func (c *camera) Run(ctx context.Context, ready func()) error {
	ready()
	var hearing sync.WaitGroup
	hearing.Go(func() { _ = c.in.Receive(ctx, func(f *mediav1.AudioFrame) { c.heard <- f }) }) // until ctx ends
	defer hearing.Wait()
	return c.out.WhileHeld(ctx, c.film)
}

// film sends frames; their first bytes are zeros, so they are no pictures.
func (c *camera) film(ctx context.Context) error {
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	c.want.Store(true)
	for n := int64(0); ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		size, key := c.size, c.want.Swap(false)
		if limit := c.limit.Load(); limit > 0 && !c.deaf {
			size = min(size, int(float64(limit)/8*c.interval.Seconds()))
		}
		if key {
			size *= 3
		}
		c.out.Publish(&mediav1.VideoFrame{Epoch: c.epoch, Sequence: n, KeyFrame: key, Data: make([]byte, size),
			Format:   &mediav1.VideoFormat{MediaType: media.H264},
			Metadata: map[string]string{"at": time.Now().Format(time.RFC3339Nano)}})
		c.control.Publish(&controlv1.ControlState{})
	}
}

// RequestKeyFrame implements the CameraService.
func (c *camera) RequestKeyFrame(context.Context,
	*camerav1.RequestKeyFrameRequest) (*camerav1.RequestKeyFrameResponse, error) {
	c.asked.Add(1)
	c.want.Store(true)
	return &camerav1.RequestKeyFrameResponse{}, nil
}

// LimitBitrate implements the CameraService.
func (c *camera) LimitBitrate(_ context.Context,
	r *camerav1.LimitBitrateRequest) (*camerav1.LimitBitrateResponse, error) {
	c.limit.Store(r.GetBitrateBps())
	return &camerav1.LimitBitrateResponse{BitrateBps: r.GetBitrateBps()}, nil
}

// rig is a robot with a camera and an uplink, at a hub.
type rig struct {
	hub    *hubtest.Hub
	robot  *hubtest.Robot
	camera *camera
	uplink *device.Process
}

// start runs a rig whose uplink and leaf go through a line; nil: directly.
func start(t testing.TB, c *camera, through *line) *rig {
	t.Helper()
	h := hubtest.Start(t, "rover")
	leaf, media := h.Leaf(t, "rover"), h.Server.URL()
	if through != nil {
		leaf.URL, media = through.open(t, leaf.URL), through.open(t, media)
	}
	server, err := embedded.Start(embedded.Config{Leaf: leaf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	r := &rig{hub: h, robot: &hubtest.Robot{Server: server}, camera: c}
	r.robot.AwaitLink(t)
	c.heard = make(chan *mediav1.AudioFrame, 100)
	run(t, c.kind(), device.Settings{Robot: "rover", Device: "front", NATS: r.robot.URL()}, struct{}{})
	r.uplink = r.runUplink(t, "rover", media)
	return r
}

// runUplink runs an uplink of a robot.
func (r *rig) runUplink(t testing.TB, name, media string) *device.Process {
	t.Helper()
	return run(t, uplink.Kind(), device.Settings{Robot: name, Device: "uplink", NATS: r.robot.URL()},
		config(t, name, media, r.hub.SeedFile("rover")))
}

// config is what a robot.yaml says.
func config(t testing.TB, name, media, key string) uplink.Config {
	t.Helper()
	parsed, err := robot.Parse(filepath.Join(t.TempDir(), "robot.yaml"), []byte("robot: "+name+
		"\ndevices: {uplink: {kind: uplink}}\nfleet: {hub: \"nats://127.0.0.1\", media: \""+media+"\", key: "+key+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := uplink.Defaults()
	if err := c.OfRobot(parsed, "uplink"); err != nil {
		t.Fatal(err)
	}
	return c
}

func run[C any](t testing.TB, k device.Kind[C], s device.Settings, c C) *device.Process {
	t.Helper()
	level := slog.LevelInfo
	if os.Getenv("DEBUG") != "" {
		level = slog.LevelDebug
	}
	p, err := device.Start(k, s, c, logtest.New(t, level).With("device", s.Device))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// state is that of the uplink.
func (r *rig) state() devicev1.DeviceState { return r.uplink.Kit().Device().GetState() }
