// Package fakecam is a camera for tests and benchmarks: a device on the bus whose frames have the outline of the
// gateway's preferred codec and known sizes, but no picture; or real frames that a test supplies. It follows the rules
// of a real camera: it publishes while it is held, starts with a key frame and makes one on request.
package fakecam

import (
	"bytes"
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/descriptors"
	"github.com/waldo-robot/waldo/pkg/media"
	codectable "github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

// Config describes the camera; the zero value is 30 frames of 2 kB a second, with key frames on request.
type Config struct {
	FrameRate     int // per second
	FrameBytes    int // of a delta frame
	KeyFrameBytes int
	// KeyFrameEvery makes a key frame every so many frames; 0: only on request.
	KeyFrameEvery int
	// Pictures are real access units to show in turn, the first of them a key frame, instead of made-up ones. A
	// requested key frame starts them over.
	Pictures [][]byte
	// NeverOnRequest makes the camera refuse requests for key frames.
	NeverOnRequest bool
	// MediaType is that of Pictures; empty: that of the made-up frames.
	MediaType string
	// Alternative, if not nil, is what the stream video-alternative carries.
	Alternative *Clip
	// Silence names a stream that can be held and carries nothing; empty: no such stream.
	Silence string
	// Seed is its key on the bus; nil: none.
	Seed *keys.Seed
	// Silent cameras do not report the media types of their streams.
	Silent bool
}

// Clip is real frames of some codec, shown in turn. The first is a key frame.
type Clip struct {
	MediaType string
	Pictures  [][]byte
	AsIs      bool // it is passed on as the hardware compresses it
	Obeys     bool // hardware that compresses makes key frames on request
}

// made is the codec of the made-up frames.
var made = codectable.All(webrtc.RTPCodecTypeVideo)[0].MediaType

// output is one stream of the camera.
type output struct {
	name    string
	clip    Clip
	wantKey atomic.Bool
	holds   map[string]time.Time // by holder, when it expires; guarded by Camera.mu
}

// Camera is a running camera.
type Camera struct {
	devicev1.UnimplementedDeviceServiceServer
	camerav1.UnimplementedCameraServiceServer

	config  Config
	conn    *bus.ConnCloser
	address bus.Address
	epoch   int64
	service *bus.Service
	cancel  context.CancelFunc
	ended   sync.WaitGroup

	published   atomic.Int64
	keyRequests atomic.Int64

	mu      sync.Mutex
	outputs []*output
}

// Start begins one life of a camera.
func Start(url string, address bus.Address, c Config) (*Camera, error) {
	c.FrameRate = orElse(c.FrameRate, 30)
	c.FrameBytes = orElse(c.FrameBytes, 2000)
	c.KeyFrameBytes = orElse(c.KeyFrameBytes, 4*c.FrameBytes)
	conn, err := bus.Connect(bus.Config{URL: url, Name: "fakecam", Seed: c.Seed})
	if err != nil {
		return nil, err
	}
	cam := &Camera{config: c, conn: conn, address: address, epoch: rand.Int64N(1<<62) + 1}
	cam.add("video", Clip{MediaType: cmp.Or(c.MediaType, made), Pictures: c.Pictures})
	if c.Alternative != nil {
		cam.add("video-alternative", *c.Alternative)
	}
	if c.Silence != "" {
		cam.add(c.Silence, Clip{})
	}
	if err := cam.serve(); err != nil {
		conn.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cam.cancel = cancel
	cam.ended.Go(func() { cam.announce(ctx) })
	for _, o := range cam.outputs {
		cam.ended.Go(func() { cam.run(ctx, o) })
	}
	return cam, nil
}

func (c *Camera) add(name string, clip Clip) {
	c.outputs = append(c.outputs, &output{name: name, clip: clip, holds: make(map[string]time.Time)})
}

// find returns a stream, or nil if none has that name.
func (c *Camera) find(name string) *output {
	i := slices.IndexFunc(c.outputs, func(o *output) bool { return o.name == cmp.Or(name, "video") })
	if i < 0 {
		return nil
	}
	return c.outputs[i]
}

func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

func (c *Camera) serve() (err error) {
	if c.service, err = c.conn.Serve(bus.ServiceConfig{Address: c.address, Kind: "camera", Version: "1.0.0"}); err != nil {
		return err
	}
	if err := c.service.RegisterService(&devicev1.DeviceService_ServiceDesc, c); err != nil {
		return err
	}
	return c.service.RegisterService(&camerav1.CameraService_ServiceDesc, c)
}

// Stop ends the camera without notice, as if it were killed.
func (c *Camera) Stop() {
	c.cancel()
	c.ended.Wait()
	c.conn.Close()
}

// Published is the number of published frames.
func (c *Camera) Published() int64 { return c.published.Load() }

// KeyRequests is the number of requests for a key frame.
func (c *Camera) KeyRequests() int64 { return c.keyRequests.Load() }

// Epoch is the epoch of this camera's life.
func (c *Camera) Epoch() int64 { return c.epoch }

// Holders is how many readers hold the stream video now.
func (c *Camera) Holders() int { return c.HoldersOf("video") }

// HoldersOf is how many readers hold a stream now.
func (c *Camera) HoldersOf(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, end := range c.find(name).holds {
		if time.Now().Before(end) {
			n++
		}
	}
	return n
}

// HoldStream implements the DeviceService.
func (c *Camera) HoldStream(_ context.Context, r *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error) {
	o := c.find(r.GetStream())
	if o == nil {
		return nil, status.Errorf(codes.NotFound, "stream %q does not exist", r.GetStream())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, held := o.holds[r.GetHolder()]; !held {
		o.wantKey.Store(true)
	}
	if r.GetTtl().AsDuration() == 0 {
		delete(o.holds, r.GetHolder())
	} else {
		o.holds[r.GetHolder()] = time.Now().Add(r.GetTtl().AsDuration())
	}
	return &devicev1.HoldStreamResponse{Epoch: c.epoch, Subject: c.address.Out(r.GetStream())}, nil
}

// GetDescriptors implements the DeviceService.
func (c *Camera) GetDescriptors(context.Context, *devicev1.GetDescriptorsRequest) (*devicev1.GetDescriptorsResponse,
	error) {
	return descriptors.Describe(c.epoch, []string{"waldo.device.v1.DeviceService", "waldo.camera.v1.CameraService"},
		(&mediav1.VideoFrame{}).ProtoReflect().Descriptor())
}

// RequestKeyFrame implements the CameraService.
func (c *Camera) RequestKeyFrame(
	_ context.Context, r *camerav1.RequestKeyFrameRequest,
) (*camerav1.RequestKeyFrameResponse, error) {
	c.keyRequests.Add(1)
	o := c.find(r.GetStream())
	if o == nil {
		return nil, status.Errorf(codes.NotFound, "stream %q does not exist", r.GetStream())
	}
	if !c.onRequest(o) {
		return nil, status.Error(codes.FailedPrecondition, "this camera does not make key frames on request")
	}
	o.wantKey.Store(true)
	return &camerav1.RequestKeyFrameResponse{}, nil
}

// CaptureFrame implements the CameraService.
func (c *Camera) CaptureFrame(_ context.Context, r *camerav1.CaptureFrameRequest) (*camerav1.CaptureFrameResponse,
	error) {
	return &camerav1.CaptureFrameResponse{Frame: &mediav1.VideoFrame{
		Epoch: c.epoch, CaptureTime: timestamppb.Now(), KeyFrame: true, Data: []byte("\xff\xd8\xff\xd9"),
		Format: &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: r.GetFormat().GetWidthPx(),
			HeightPx: r.GetFormat().GetHeightPx()},
	}}, nil
}

// announce publishes the state at once and every second.
func (c *Camera) announce(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	stop := c.conn.OnConnect(c.state)
	defer stop()
	for {
		c.state()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *Camera) state() {
	var streams []*devicev1.StreamInfo
	for _, o := range c.outputs {
		info := &devicev1.StreamInfo{
			Name: o.name, Direction: devicev1.StreamDirection_STREAM_DIRECTION_OUT, MessageType: "waldo.media.v1.VideoFrame",
			KeyFrameOnRequest: c.onRequest(o), PassedThrough: o.clip.AsIs,
		}
		if !c.config.Silent && o.clip.MediaType != "" {
			info.MediaTypes = []string{o.clip.MediaType}
		}
		if o.name == "video-alternative" {
			info.AlternativeTo = c.outputs[0].name
		}
		streams = append(streams, info)
	}
	_ = c.conn.Publish(c.address.State(), &devicev1.Device{ // again in a second
		Robot: c.address.Robot, Name: c.address.Device, Kind: "camera", Version: "1.0.0", Epoch: c.epoch,
		State: devicev1.DeviceState_DEVICE_STATE_READY, Streams: streams,
	})
}

// run publishes frames while somebody holds the stream.
func (c *Camera) run(ctx context.Context, o *output) {
	tick := time.NewTicker(time.Second / time.Duration(c.config.FrameRate))
	defer tick.Stop()
	delta, key := shape(false, c.config.FrameBytes), shape(true, c.config.KeyFrameBytes)
	pictures := o.clip.Pictures
	if len(pictures) > 0 {
		key = pictures[0]
	}
	next := 0 // of the pictures
	for seq := int64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c.HoldersOf(o.name) == 0 || o.clip.MediaType == "" {
			continue
		}
		f := &mediav1.VideoFrame{
			Epoch: c.epoch, Sequence: seq, CaptureTime: timestamppb.Now(), Data: delta,
			Format: &mediav1.VideoFormat{
				MediaType: o.clip.MediaType, WidthPx: 1280, HeightPx: 720, FrameRateHz: float64(c.config.FrameRate),
			},
		}
		if n := len(pictures); n > 0 {
			f.Data = pictures[next%n]
			f.KeyFrame = next%n == 0
		}
		if c.keyFrame(o, seq) {
			f.KeyFrame, f.Data, next = true, key, 0
		}
		seq++
		next++
		if c.conn.Publish(c.address.Out(o.name), f) == nil {
			c.published.Add(1)
		}
	}
}

// onRequest says whether key frames of a stream are made on request.
func (c *Camera) onRequest(o *output) bool {
	return !c.config.NeverOnRequest && (o.clip.Obeys || !o.clip.AsIs)
}

// keyFrame decides whether a frame becomes a key frame.
func (c *Camera) keyFrame(o *output, seq int64) bool {
	wanted, every := o.wantKey.Swap(false), int64(c.config.KeyFrameEvery)
	return seq == 0 || wanted && c.onRequest(o) || every > 0 && seq%every == 0
}

// shape makes about n bytes with the outline of an access unit.
func shape(key bool, n int) []byte {
	var b bytes.Buffer
	start := []byte{0, 0, 0, 1}
	slice := []byte{0x41, 0x9a} // of picture parameter set 0, from the first macroblock on, predicted
	if key {
		b.Write(start)
		b.Write([]byte{0x67, 0x42, 0xe0, 0x1f, 0x95, 0xa0, 0x14, 0x01, 0x6e}) // SPS
		b.Write(start)
		b.Write([]byte{0x68, 0xce, 0x3c, 0x80}) // PPS
		slice = []byte{0x65, 0x88, 0x80}        // likewise, of a key frame
	}
	b.Write(start)
	b.Write(slice)
	for b.Len() < n {
		b.WriteByte(byte(1 + rand.IntN(255))) // without zeros there is no accidental start code
	}
	return b.Bytes()
}

// Frame makes one frame of about n bytes, for tests that need no bus.
func Frame(epoch, seq int64, key bool, n int) *mediav1.VideoFrame {
	return &mediav1.VideoFrame{
		Epoch: epoch, Sequence: seq, KeyFrame: key, CaptureTime: timestamppb.Now(), Data: shape(key, n),
		Format: &mediav1.VideoFormat{MediaType: made, WidthPx: 1280, HeightPx: 720},
	}
}
