package audio

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/services/audio/portaudio"
	"github.com/waldo-robot/waldo/sound/card"
)

// A process that can never use the card again ends, so that a new one is started.
func TestStuckProcessEnds(t *testing.T) {
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, portaudio.ErrStuck) {
			t.Errorf("ended with %v, want a panic that says why", err)
		}
	}()
	d := &driver{turn: func() func() { return func() {} },
		open: func(needs) (card.Card, error) { return card.Card{}, fmt.Errorf("open: %w", portaudio.ErrStuck) }}
	t.Errorf("goes on: %v", d.run(t.Context(), func() {}))
}

// A driver that never comes back is a hang, which the launcher and the watchdog of systemd hear of. One that fails is
// none.
func TestHangingDriver(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	hang, hanging := make(chan struct{}), make(chan struct{})
	opened := 0 // belongs to the driver
	kind := Kind()
	kind.New = func(kit *device.Kit, c Config) (device.Driver, error) {
		list := func() ([]*audiov1.SoundDevice, error) { return nil, nil }
		return newDriverOf(kit, c, list, func(needs) (card.Card, error) {
			if opened++; opened == 2 {
				close(hanging)
				<-hang
			}
			return card.Card{}, errPulled
		}, time.Millisecond)
	}
	p, err := device.Start(kind, device.Settings{Robot: "test", Device: "voice", NATS: server.URL()}, Defaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	conn, err := grpc.NewClient(p.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	loops := func() healthpb.HealthCheckResponse_ServingStatus {
		t.Helper()
		answer, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: vital.Loops})
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetStatus()
	}
	<-hanging
	for loops() == healthpb.HealthCheckResponse_SERVING {
		time.Sleep(time.Millisecond) // the turn becomes too long
	}
	close(hang)
	for loops() != healthpb.HealthCheckResponse_SERVING {
		time.Sleep(time.Millisecond) // the turn comes to its end
	}
}
