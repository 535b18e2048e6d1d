package ingest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	ingestv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	insta360v1 "github.com/waldo-robot/waldo/api/gen/go/waldo/insta360/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/insta360/wire"
)

// A camera of Insta360 is a camera like others, and takes commands; both come back with the connection.
func TestInsta360(t *testing.T) {
	for _, clip := range []string{"baseline.h264", "plain.h265"} {
		t.Run(clip, func(t *testing.T) {
			fake := fakecam.StartInsta360(t, fakecam.Insta360Config{
				Video: fakecam.Clip(clip), Gyro: 56, Info: wire.Options{Serial: "IXSE42"},
			})
			peer := startDevice(t, fake.URL())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			connection, err := ingestv1.NewIngestServiceClient(peer).WatchConnection(ctx, &ingestv1.WatchConnectionRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for n := range int64(2) {
				awaitConnected(t, connection, n+1)
				info, err := insta360v1.NewInsta360ServiceClient(peer).GetCameraInfo(ctx, &insta360v1.GetCameraInfoRequest{})
				if err != nil || info.GetInfo().GetSerialNumber() != "IXSE42" {
					t.Errorf("the camera says %v, %v", info, err)
				}
				fake.Reset()
			}
		})
	}
}

// awaitConnected waits for pictures of the connection n, from 1 on.
func awaitConnected(t *testing.T, from grpc.ServerStreamingClient[ingestv1.WatchConnectionResponse], n int64) {
	t.Helper()
	for {
		r, err := from.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if c := r.GetEvent().GetConnection(); c.GetIsConnected() && c.GetConnectCount() == n {
			if c.GetAttributes()["transport"] != "insta360" {
				t.Errorf("attributes %v", c.GetAttributes())
			}
			return
		}
	}
}

// startDevice starts a device for a camera and returns a connection to it.
func startDevice(t *testing.T, url string) *grpc.ClientConn {
	t.Helper()
	p, _ := startOnBus(t, at(url))
	peer, err := grpc.NewClient(p.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	return peer
}

// at is the configuration of a camera.
func at(url string) Config {
	config := Defaults()
	config.URL = url
	return config
}

// startOnBus starts a device and returns a connection to its bus.
func startOnBus(t *testing.T, config Config) (*device.Process, *bus.Conn) {
	t.Helper()
	nats, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	settings := device.Settings{Robot: onBus.Robot, Device: onBus.Device, NATS: nats.URL()}
	p, err := device.Start(Kind(), settings, config, logtest.New(t, slog.LevelInfo))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	conn, err := bus.Connect(bus.Config{URL: nats.URL(), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return p, conn.Conn
}
