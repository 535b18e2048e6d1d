// Package camera is everything in a camera's process but the hardware: given a function that opens a [source.Source],
// its [Driver] serves CameraService over gRPC and the bus, publishes the streams that somebody holds, and reopens the
// source after it has gone away. A service adds its configuration and its drivers; package video shows how.
//
// Everything that runs is owned by the driver's Run, which package device calls.
package camera

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/pipeline"
	"github.com/waldo-robot/waldo/video/preprocess"
	"github.com/waldo-robot/waldo/video/service"
	"github.com/waldo-robot/waldo/video/shared"
	"github.com/waldo-robot/waldo/video/source"
)

// Streams returns the streams that a camera with these codecs has: `video` is H.264, and every other compressed media
// type has one beside it: VP8 for readers without H.264, H.265 for those who can take it untouched, which the device
// has only while the source sends it, and JPEG for those who want pictures that do not depend on one another. What can
// be encoded has a small version for readers whose path carries no more. A stream that nobody holds costs nothing.
func Streams(codecs codec.Set) (streams []service.Stream) {
	const usual = "video"
	add := func(name, mediaType string, small bool) {
		s := service.Stream{Content: pipeline.Stream{MediaType: mediaType, Small: small}, Name: name}
		if name != usual {
			s.AlternativeTo = usual
		}
		streams = append(streams, s)
	}
	add(usual, media.H264, false)
	if codecs.Encodes(media.VP8) {
		add("video-vp8", media.VP8, false)
	}
	if _, known := codecs.Find(media.H265); known {
		add("video-h265", media.H265, false)
	}
	add("video-jpeg", media.JPEG, false)
	if codecs.Encodes(media.H264) {
		add("video-small", media.H264, true)
	}
	if codecs.Encodes(media.VP8) {
		add("video-vp8-small", media.VP8, true)
	}
	return streams
}

// Captures is the stream on the bus that announces every picture when it is captured, before it is encoded; see
// waldo.media.v1.Capture. Holding it does not start the camera.
const Captures = "captures"

// longestTurn is how long the work on one picture may take before the process counts as hanging: a thousand times as
// long as usual.
const longestTurn = 15 * time.Second

// Driver works one camera. It implements [device.Driver].
type Driver struct {
	kit      *device.Kit
	open     func(ctx context.Context) (source.Source, error)
	pipeline *pipeline.Pipeline
	service  *service.Service
	streams  []stream
	captures *device.Out[*mediav1.Capture]
	hook     *preprocess.Hook // nil for none
}

// stream is one stream on the bus.
type stream struct {
	service.Stream
	out  *device.Out[*mediav1.VideoFrame]
	made bool // of whatever the source sends; else the device has the stream only while the source sends it
}

// New returns a driver for the camera that open opens: once when the process starts, and again whenever the source has
// gone away. Call it in [device.Kind.New].
func New(kit *device.Kit, config Config, open func(context.Context) (source.Source, error)) *Driver {
	if config.Streams == nil {
		config.Streams = Streams(config.Codecs)
	}
	d := &Driver{kit: kit, open: open}
	if config.Preprocess.Given() {
		d.hook = preprocess.New(preprocess.Config{Command: config.Preprocess, Codecs: config.Codecs,
			Orientation: config.Orientation, Log: kit.Log, Metrics: kit.Metrics})
		config.Orientation = codec.Orientation{} // the command gets pictures that are turned already
	}
	d.pipeline = pipeline.New(pipeline.Config{
		Epoch: kit.Epoch(), Codecs: config.Codecs, Orientation: config.Orientation, Bitrate: config.Bitrate,
		JPEGQuality: config.JPEGQuality, Log: kit.Log, Metrics: kit.Metrics, Changed: d.announce,
		Turn: kit.Loop(longestTurn).Begin,
	})
	d.service = service.New(d.pipeline, config.Streams, shared.New(kit.Log, kit.Metrics))
	camerav1.RegisterCameraServiceServer(kit, d.service)
	// It is for actuators, which know its name, and nothing to show to people.
	d.captures = device.NewOut[*mediav1.Capture](kit, Captures, device.OutOptions{Absent: true, Together: true})
	kit.Keep("camera", d.keep, d.take)
	for _, s := range config.Streams {
		mediaType := s.Content.MediaType
		options := device.OutOptions{AlternativeTo: s.AlternativeTo, Small: s.Content.Small,
			Whole: !media.InterCoded(mediaType),
			Begin: func(ctx context.Context) error { return d.pipeline.RequestKeyFrame(ctx, s.Content) }}
		if config.Joined != nil {
			options.Joined = func() {
				if d.pipeline.PassesThrough(s.Content) {
					config.Joined()
				}
			}
		}
		made := s.AlternativeTo == "" || config.Codecs.Encodes(mediaType) // whatever the source sends, as far as is known
		if made {
			options.KeyFrameOnRequest, options.MediaTypes = true, []string{mediaType}
		}
		options.Absent = !made
		d.streams = append(d.streams, stream{s, device.NewOut[*mediav1.VideoFrame](kit, s.Name, options), made})
	}
	return d
}

// announce describes the streams as the present source has them. One that carries nothing names no media type, or is
// left out if nothing that this source sends makes it carry something.
func (d *Driver) announce() {
	for _, s := range d.streams {
		offered := d.pipeline.Offers(s.Content)
		s.out.SetPresent(s.made || offered)
		if offered {
			s.out.SetMediaTypes(s.Content.MediaType)
			s.out.SetPassedThrough(d.pipeline.PassesThrough(s.Content))
			s.out.SetKeyFrameOnRequest(d.pipeline.KeyFrameOnRequest(s.Content))
		} else {
			s.out.SetMediaTypes()
			s.out.SetPassedThrough(false)
			s.out.SetKeyFrameOnRequest(false)
		}
	}
}

// Run opens the source and serves it until it goes away or ctx ends. Readers over gRPC stay in between.
func (d *Driver) Run(ctx context.Context, ready func()) error {
	err := d.run(ctx, ready)
	d.service.Detach(err)
	if d.kit.Stopping().Err() != nil {
		d.pipeline.Close() // for good: ends the calls in progress
	}
	return err
}

func (d *Driver) run(ctx context.Context, ready func()) error {
	src, err := d.open(ctx)
	if err != nil {
		return err
	}
	made := src
	if d.hook != nil {
		if made, err = d.hook.Open(src); err != nil {
			return err
		}
	}
	defer func() {
		if err := made.Close(); err != nil {
			d.kit.Log.Warn("the camera did not close properly", "error", err)
		}
	}()
	d.describe(src.Info(), "")
	d.service.Attach(src)
	ctx, cancel := context.WithCancel(ctx)
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel()
	return d.pipeline.Run(ctx, made, func() {
		d.announce()
		owned.Go(func() { d.tell(ctx, src, made) })
		owned.Go(func() {
			device.Serve(ctx, d.captures, func() (*pipeline.Announcer, error) { return d.pipeline.Announce(), nil })
		})
		for _, s := range d.streams {
			owned.Go(func() {
				device.Serve(ctx, s.out, func() (*pipeline.Reader, error) {
					return d.pipeline.OpenStream(s.Content)
				})
			})
		}
		ready()
	})
}

// WhileRead runs work whenever somebody reads the camera's pictures, as [pipeline.Pipeline.WhileRead] does.
func (d *Driver) WhileRead(ctx context.Context, work func(context.Context) error) error {
	return d.pipeline.WhileRead(ctx, work)
}

// describe publishes what the hardware chose in the device's description, and what is made of it.
func (d *Driver) describe(info source.Info, made string) {
	f := info.Current
	attributes := map[string]string{
		"media_type": f.GetMediaType(), "pixel_format": f.GetPixelFormat(),
		"width_px": strconv.Itoa(int(f.GetWidthPx())), "height_px": strconv.Itoa(int(f.GetHeightPx())),
		"frame_rate_hz": strconv.FormatFloat(f.GetFrameRateHz(), 'g', 6, 64), encoding: made,
	}
	maps.Copy(attributes, info.Attributes)
	if d.hook != nil {
		attributes[preprocess.Attribute] = d.hook.Words()
		if attributes[passes] != "" {
			attributes[passes] = "no, encoded again while somebody watches: preprocess changes them"
		}
	}
	d.kit.SetAttributes(attributes)
}
