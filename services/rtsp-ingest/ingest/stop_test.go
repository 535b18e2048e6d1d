package ingest

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	ingestv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
)

// TestWatchersAreToldOfTheEnd: a device that stops ends the calls that watch its connection, and does not wait until
// they are cut off.
func TestWatchersAreToldOfTheEnd(t *testing.T) {
	fake := fakecam.Start(t, fakecam.Config{})
	process, _ := startOnBus(t, at(fake.URL()))
	conn, err := grpc.NewClient(process.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	events, err := ingestv1.NewIngestServiceClient(conn).WatchConnection(ctx, &ingestv1.WatchConnectionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for connected := false; !connected; {
		r, err := events.Recv()
		if err != nil {
			t.Fatal(err)
		}
		connected = r.GetEvent().GetConnection().GetIsConnected()
	}
	go process.Stop() // the cleanup of the test waits for it
	for err == nil {  // the event of what the first answer told already may still come
		_, err = events.Recv()
	}
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), device.ErrStopping.Error()) {
		t.Errorf("the call ends with %v, want Unavailable and %q", err, device.ErrStopping)
	}
}
