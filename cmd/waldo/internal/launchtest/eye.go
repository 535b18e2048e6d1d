package launchtest

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
)

// The size of the pictures of an eye.
const (
	EyeWidth  = 160
	EyeHeight = 120
)

// The colors of the pictures of an eye.
var (
	EyeRaw  = color.RGBA{200, 100, 50, 255} // over gRPC
	EyeJPEG = color.RGBA{50, 150, 200, 255} // over the bus
)

// eye is a camera that looks at a wall: each of its pictures has one color, 20 times a second.
type eye struct {
	camerav1.UnimplementedCameraServiceServer
	kit  *device.Kit
	jpeg *device.Out[*mediav1.VideoFrame]
}

func newEye(kit *device.Kit, _ struct{}) (device.Driver, error) {
	e := &eye{kit: kit}
	kit.RegisterService(&camerav1.CameraService_ServiceDesc, e)
	device.NewOut[*mediav1.VideoFrame](kit, "video", device.OutOptions{MediaTypes: []string{media.H264}})
	e.jpeg = device.NewOut[*mediav1.VideoFrame](kit, "video-jpeg",
		device.OutOptions{MediaTypes: []string{media.JPEG}, AlternativeTo: "video"})
	kit.SetAttributes(map[string]string{"width_px": "160", "height_px": "120"})
	return e, nil
}

// Run publishes JPEG while somebody holds it.
func (e *eye) Run(ctx context.Context, ready func()) error {
	ready()
	var data bytes.Buffer
	img := image.NewRGBA(image.Rect(0, 0, EyeWidth, EyeHeight))
	for i := 0; i < len(img.Pix); i += 4 {
		copy(img.Pix[i:], []byte{EyeJPEG.R, EyeJPEG.G, EyeJPEG.B, 255})
	}
	if err := jpeg.Encode(&data, img, nil); err != nil {
		return err
	}
	_ = e.jpeg.WhileHeld(ctx, func(ctx context.Context) error {
		return e.every(ctx, func(f *mediav1.VideoFrame) error {
			f.Format, f.Data = &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: EyeWidth, HeightPx: EyeHeight}, data.Bytes()
			e.jpeg.Publish(f)
			return nil
		})
	})
	return nil
}

// every makes frames, 20 a second.
func (e *eye) every(ctx context.Context, send func(*mediav1.VideoFrame) error) error {
	tick := time.NewTicker(time.Second / 20)
	defer tick.Stop()
	for n := int64(0); ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		f := &mediav1.VideoFrame{Epoch: e.kit.Epoch(), Sequence: n, CaptureTime: timestamppb.Now(), KeyFrame: true}
		if err := send(f); err != nil {
			return err
		}
	}
}

// ListFormats implements CameraService.
func (e *eye) ListFormats(context.Context, *camerav1.ListFormatsRequest) (*camerav1.ListFormatsResponse, error) {
	return &camerav1.ListFormatsResponse{OfferedFormats: []*mediav1.VideoFormat{
		{MediaType: media.JPEG, WidthPx: EyeWidth, HeightPx: EyeHeight},
		{MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: EyeWidth, HeightPx: EyeHeight},
	}}, nil
}

// StreamFrames implements CameraService, for raw pictures that are no larger than the eye's.
func (e *eye) StreamFrames(r *camerav1.StreamFramesRequest, out camerav1.CameraService_StreamFramesServer) error {
	format := &mediav1.VideoFormat{MediaType: r.GetFormat().GetMediaType(), PixelFormat: r.GetFormat().GetPixelFormat(),
		WidthPx: r.GetFormat().GetWidthPx(), HeightPx: r.GetFormat().GetHeightPx()}
	if format.GetWidthPx() == 0 {
		format.WidthPx, format.HeightPx = EyeWidth, EyeHeight
	}
	size := media.FrameSize(format)
	if format.GetPixelFormat() != media.PixelBGR24 || format.GetWidthPx() > EyeWidth || size == 0 {
		return status.Errorf(codes.InvalidArgument, "this eye has no pictures like %v", format)
	}
	data := bytes.Repeat([]byte{EyeRaw.B, EyeRaw.G, EyeRaw.R}, size/3)
	return e.every(out.Context(), func(f *mediav1.VideoFrame) error {
		f.Format, f.Data = format, data
		return out.Send(&camerav1.StreamFramesResponse{Frame: f})
	})
}
