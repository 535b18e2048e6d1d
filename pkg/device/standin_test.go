package device

import (
	"errors"
	"strings"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// replaying is a device that stands for another one.
func replaying() Kind[config] {
	k := kindOf(work)
	inner := k.New
	k.StandIn = true
	k.New = func(kit *Kit, c config) (Driver, error) {
		kit.SetAttributes(map[string]string{ReplayAttribute: "drive.mcap"})
		return inner(kit, c)
	}
	return k
}

// TestStandInDoesNotStart beside the device for which it stands.
func TestStandInDoesNotStart(t *testing.T) {
	server := startServer(t, embedded.Config{})
	start(t, kindOf(work), Settings{NATS: server.URL()})
	_, err := Start(replaying(), Settings{Robot: "r", Device: "d", NATS: server.URL()}, config{}, nil)
	if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "is on this bus") {
		t.Errorf("beside the device: %v", err)
	}
	if exitCode(err) != ExitAddress {
		t.Errorf("exit code %d", exitCode(err))
	}
}

// TestStandInGivesWay to the device for which it stands: from then on every call reaches that one.
func TestStandInGivesWay(t *testing.T) {
	server := startServer(t, embedded.Config{})
	settings := Settings{NATS: server.URL()}
	standIn := start(t, replaying(), settings)
	another := start(t, replaying(), settings) // which is not genuine either
	genuine := start(t, kindOf(work), settings)
	for _, p := range []*Process{standIn, another} {
		select {
		case <-p.kit.displaced:
		case <-time.After(patienceOfTests):
			t.Fatal("it has not given way")
		}
	}
	conn := connect(t, server.URL())
	client := devicev1.NewDeviceServiceClient(conn.Client(genuine.kit.address))
	for _, p := range []*Process{standIn, another} {
		if err := p.kit.conn.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		r, err := client.GetDevice(t.Context(), &devicev1.GetDeviceRequest{})
		if err != nil || r.GetDevice().GetEpoch() != genuine.kit.epoch {
			t.Fatalf("answered by %v, %v", r.GetDevice(), err)
		}
	}
}
