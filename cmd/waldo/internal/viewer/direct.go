package viewer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/media"
)

// errUnreachable says that the device does not answer at its gRPC address, or another one does.
var errUnreachable = errors.New("the device is not reachable by gRPC")

const (
	// maxFrame bounds a frame in bytes: a raw picture of 8192x8192.
	maxFrame = 3*media.MaxSize*media.MaxSize + 1<<16
	// underWay is how many frames may be on their way.
	underWay = 2
)

// readDirectly reads pictures by gRPC.
func (r *reader) readDirectly(ctx context.Context, d *devicev1.Device) error {
	conn, err := grpc.NewClient("passthrough:///"+d.GetGrpcAddress(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithStreamInterceptor(inflight.Acknowledging(underWay)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxFrame)))
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer func() { _ = conn.Close() }() // it never fails
	if r.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.Token)
	}
	if err := identify(ctx, conn, d); err != nil {
		return err
	}
	camera := camerav1.NewCameraServiceClient(conn)
	format, err := r.format(ctx, camera, d.GetGrpcAddress())
	if err != nil {
		return err
	}
	frames, err := camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: format})
	if err != nil {
		return err
	}
	for {
		step, err := frames.Recv()
		if err != nil {
			return err
		}
		if f := step.GetFrame(); f != nil {
			r.take(f, true)
		}
	}
}

// identify checks that the device is behind a connection: the address may be one of the robot's loopback, which is
// something else here.
func identify(ctx context.Context, conn *grpc.ClientConn, d *devicev1.Device) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := devicev1.NewDeviceServiceClient(conn).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	if answer.GetDevice().GetEpoch() != d.GetEpoch() {
		return fmt.Errorf("%w: another one is at %s", errUnreachable, d.GetGrpcAddress())
	}
	return nil
}

// format chooses what to read: raw pictures are the least work, and too many bytes for a network. They are
// no larger than the window.
func (r *reader) format(ctx context.Context, camera camerav1.CameraServiceClient, address string) (*mediav1.VideoFormat,
	error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	formats, err := camera.ListFormats(ctx, &camerav1.ListFormatsRequest{})
	if err != nil {
		return nil, err
	}
	wanted := []*mediav1.VideoFormat{{MediaType: media.JPEG}}
	if onThisMachine(address) {
		wanted = slices.Insert(wanted, 0, &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24})
	}
	for _, want := range wanted {
		for _, f := range formats.GetOfferedFormats() {
			if f.GetMediaType() == want.GetMediaType() && f.GetPixelFormat() == want.GetPixelFormat() {
				want.FrameRateHz = r.Rate
				w, h := r.size()
				if w, h := fit(int(f.GetWidthPx()), int(f.GetHeightPx()), w, h); w < int(f.GetWidthPx()) {
					want.WidthPx, want.HeightPx = int32(w), int32(h)
				}
				return want, nil
			}
		}
	}
	return nil, status.Error(codes.InvalidArgument, "the camera offers neither raw pictures nor JPEG")
}

// onThisMachine reports whether an address is one of loopback.
func onThisMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip, parsed := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || parsed == nil && ip.IsLoopback())
}

// jpegStream finds the stream of JPEG among those of a device, or checks the one that was named.
func jpegStream(d *devicev1.Device, wanted string) (string, error) {
	var jpegs, others []string
	for _, s := range d.GetStreams() {
		switch {
		case s.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_OUT || len(s.GetMediaTypes()) == 0:
		case slices.Contains(s.GetMediaTypes(), media.JPEG):
			jpegs = append(jpegs, s.GetName())
		default:
			others = append(others, s.GetName()+" ("+strings.Join(s.GetMediaTypes(), ", ")+")")
		}
	}
	switch {
	case slices.Contains(jpegs, wanted):
		return wanted, nil
	case wanted == "" && len(jpegs) > 0:
		return jpegs[0], nil
	case wanted != "" && len(jpegs) > 0:
		return "", fmt.Errorf("the stream %q is not one of JPEG; those are: %s", wanted, strings.Join(jpegs, ", "))
	case len(others) > 0:
		return "", fmt.Errorf("it has no stream of JPEG, only %s: the page shows those", strings.Join(others, ", "))
	}
	return "", errors.New("it is not a camera: it has no streams of pictures")
}
