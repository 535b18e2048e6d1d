package device

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// camera answers each method in another way.
type camera struct {
	camerav1.UnimplementedCameraServiceServer
}

func (camera) ListFormats(context.Context, *camerav1.ListFormatsRequest) (*camerav1.ListFormatsResponse, error) {
	panic("a bug")
}

func (camera) GetControls(context.Context, *camerav1.GetControlsRequest) (*camerav1.GetControlsResponse, error) {
	return nil, errors.New("no code")
}

func (camera) SetControls(context.Context, *camerav1.SetControlsRequest) (*camerav1.SetControlsResponse, error) {
	return nil, fmt.Errorf("read a control: %w", context.DeadlineExceeded)
}

func (camera) SetBitrate(context.Context, *camerav1.SetBitrateRequest) (*camerav1.SetBitrateResponse, error) {
	return nil, status.Error(codes.FailedPrecondition, "not now")
}

func (camera) StreamFrames(*camerav1.StreamFramesRequest,
	grpc.ServerStreamingServer[camerav1.StreamFramesResponse]) error {
	panic("a bug in a stream")
}

func equipCamera(k *Kit) { camerav1.RegisterCameraServiceServer(k, camera{}) }

// TestCodes makes the same calls over gRPC and over the bus, which must end alike.
func TestCodes(t *testing.T) {
	server := startServer(t, embedded.Config{})
	p := start(t, kindOf(work, equipCamera), Settings{NATS: server.URL()})
	untilReady(t, p)
	device, camera := devicev1.NewDeviceServiceClient, camerav1.NewCameraServiceClient
	holding := func(stream, holder string, ttl time.Duration) func(context.Context, grpc.ClientConnInterface) error {
		return func(ctx context.Context, c grpc.ClientConnInterface) error {
			r, err := device(c).HoldStream(ctx, &devicev1.HoldStreamRequest{Stream: stream, Holder: holder,
				Ttl: durationpb.New(ttl)})
			if err == nil && (r.Epoch != p.Kit().Epoch() || r.Subject != p.Kit().Address().Out(stream)) {
				return fmt.Errorf("held %v", r)
			}
			return err
		}
	}
	calls := map[string]struct {
		call func(context.Context, grpc.ClientConnInterface) error
		code codes.Code
		text string
	}{
		"get": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			r, err := device(c).GetDevice(ctx, &devicev1.GetDeviceRequest{})
			if err == nil && r.Device.Name != "d" {
				return fmt.Errorf("got %v", r)
			}
			return err
		}, codes.OK, ""},
		"hold":                {holding("level", "me", time.Second), codes.OK, ""},
		"hold long":           {holding("level", strings.Repeat("x", 128), time.Minute), codes.OK, ""},
		"release":             {holding("level", "me", 0), codes.OK, ""},
		"unknown stream":      {holding("video", "me", time.Second), codes.NotFound, `no stream "video" (known: level)`},
		"no stream":           {holding("", "me", time.Second), codes.NotFound, "known: level"},
		"too long":            {holding("level", "me", time.Minute+1), codes.InvalidArgument, "ttl: "},
		"negative":            {holding("level", "me", -1), codes.InvalidArgument, "ttl: "},
		"no holder":           {holding("level", "", time.Second), codes.InvalidArgument, "holder: "},
		"too much holder":     {holding("level", strings.Repeat("x", 129), time.Second), codes.InvalidArgument, "holder: "},
		"a holder in colours": {holding("level", "\x1b[31m", time.Second), codes.InvalidArgument, "holder: "},
		"panic": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, err := camera(c).ListFormats(ctx, &camerav1.ListFormatsRequest{})
			return err
		}, codes.Internal, "see the device's log"},
		"no code": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, err := camera(c).GetControls(ctx, &camerav1.GetControlsRequest{})
			return err
		}, codes.Unknown, "no code"},
		"deadline of the handler": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, err := camera(c).SetControls(ctx, &camerav1.SetControlsRequest{})
			return err
		}, codes.DeadlineExceeded, "read a control"},
		"own code": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, err := camera(c).SetBitrate(ctx, &camerav1.SetBitrateRequest{})
			return err
		}, codes.FailedPrecondition, "not now"},
		"unimplemented": {func(ctx context.Context, c grpc.ClientConnInterface) error {
			_, err := camera(c).RequestKeyFrame(ctx, &camerav1.RequestKeyFrameRequest{})
			return err
		}, codes.Unimplemented, ""},
	}
	ways := map[string]grpc.ClientConnInterface{"gRPC": dial(t, p, ""),
		"bus": connect(t, server.URL()).Client(p.Kit().Address())}
	for way, c := range ways {
		for name, tt := range calls {
			err := tt.call(t.Context(), c)
			if status.Code(err) != tt.code || !strings.Contains(status.Convert(err).Message(), tt.text) {
				t.Errorf("%s over %s: %v, want %v %q", name, way, err, tt.code, tt.text)
			}
		}
	}
	metrics := get(t, p, "/metrics")
	for _, want := range []string{
		`waldo_device_calls_total{code="Internal",method="/waldo.camera.v1.CameraService/ListFormats"} 2`,
		`waldo_device_calls_total{code="FailedPrecondition",method="/waldo.camera.v1.CameraService/SetBitrate"} 2`,
		`waldo_device_calls_total{code="OK",method="/waldo.device.v1.DeviceService/GetDevice"} 2`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestPanicInAStream(t *testing.T) {
	p := start(t, kindOf(work, equipCamera), Settings{NATS: "nats://" + freeAddress(t)})
	s, err := camerav1.NewCameraServiceClient(dial(t, p, "")).StreamFrames(t.Context(), &camerav1.StreamFramesRequest{})
	if err == nil {
		_, err = s.Recv()
	}
	if status.Code(err) != codes.Internal {
		t.Errorf("the stream ended with %v", err)
	}
	untilReady(t, p) // it lives
}

// TestToken tries every sort of call with no token, a wrong one and the right one.
func TestToken(t *testing.T) {
	server := startServer(t, embedded.Config{Token: "s3cret"})
	p := start(t, kindOf(work), Settings{NATS: server.URL(), Token: "s3cret"})
	calls := map[string]func(c grpc.ClientConnInterface) error{
		"unary": func(c grpc.ClientConnInterface) error {
			_, err := devicev1.NewDeviceServiceClient(c).GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
			return err
		},
		"stream": func(c grpc.ClientConnInterface) error {
			s, err := devicev1.NewDeviceServiceClient(c).WatchDevice(t.Context(), &devicev1.WatchDeviceRequest{})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		},
		"health": func(c grpc.ClientConnInterface) error {
			_, err := healthpb.NewHealthClient(c).Check(t.Context(), &healthpb.HealthCheckRequest{})
			return err
		},
		"reflection": func(c grpc.ClientConnInterface) error {
			s, err := reflectionpb.NewServerReflectionClient(c).ServerReflectionInfo(t.Context())
			if err != nil {
				return err
			}
			_ = s.Send(&reflectionpb.ServerReflectionRequest{ // Recv tells if it failed
				MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
			_, err = s.Recv()
			return err
		},
	}
	for token, want := range map[string]codes.Code{"": codes.Unauthenticated, "wrong": codes.Unauthenticated,
		"s3cret": codes.OK} {
		c := dial(t, p, token)
		for name, call := range calls {
			if err := call(c); status.Code(err) != want {
				t.Errorf("%s with token %q: %v, want %v", name, token, err, want)
			}
		}
	}
	if want := `waldo_device_calls_total{code="Unauthenticated",method="/waldo.device.v1.DeviceService/GetDevice"} 2`; !strings.Contains(get(t, p, "/metrics"), want) {
		t.Errorf("metrics lack %s", want)
	}
	if want := "waldo_device_wrong_tokens_total 4\n"; !strings.Contains(get(t, p, "/metrics"), want) {
		t.Errorf("metrics lack %s", want)
	}
	friend, err := bus.Connect(bus.Config{URL: server.URL(), Token: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	hold(t, friend.Client(p.Kit().Address()), "friend", time.Second)
}
