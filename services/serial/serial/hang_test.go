package serial

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/services/serial/board"
	"github.com/waldo-robot/waldo/services/serial/port"
)

// stuckPort is a line whose driver takes what is written and never returns, until it is closed.
type stuckPort struct {
	writing chan struct{}
	closed  chan struct{}
	once    sync.Once
}

func (p *stuckPort) Read([]byte) (int, error) {
	<-p.closed
	return 0, os.ErrClosed
}

func (p *stuckPort) Write([]byte) (int, error) {
	p.writing <- struct{}{}
	<-p.closed
	return 0, os.ErrClosed
}

func (p *stuckPort) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// TestHangingDriver: a write that does not end is a hang, which the launcher and the watchdog of systemd hear of; a
// line that waits for something to be read or written is none.
func TestHangingDriver(t *testing.T) {
	stuck := &stuckPort{writing: make(chan struct{}, 1), closed: make(chan struct{})}
	kind := Kind()
	kind.New = func(kit *device.Kit, c Config) (device.Driver, error) {
		return newDriverOf(kit, c, func(Config, *board.Board) (port.Port, error) { return stuck, nil }, time.Millisecond)
	}
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	config := Defaults()
	config.Port, config.Write, config.WriteKeys = "/dev/stuck", "<b", []string{"x"}
	r := &rig{}
	r.run(t, kind, config, server.URL())
	r.awaitReady(t)
	loops := func() healthpb.HealthCheckResponse_ServingStatus {
		t.Helper()
		answer, err := healthpb.NewHealthClient(r.direct).Check(t.Context(),
			&healthpb.HealthCheckRequest{Service: vital.Loops})
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetStatus()
	}
	if got := loops(); got != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("while it waits: %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() {
		_, err := r.serial.WriteMessage(ctx, jsonMessage(`[1]`, nil))
		written <- err
	}()
	<-stuck.writing
	for loops() == healthpb.HealthCheckResponse_SERVING {
		time.Sleep(time.Millisecond) // the turn becomes too long
	}
	cancel()
	if err := <-written; err == nil || errors.Is(err, os.ErrClosed) {
		t.Errorf("the call ended with %v", err)
	}
	if err := stuck.Close(); err != nil {
		t.Error(err)
	}
}

// TestLongestTurn: a slow line may take its time, and the slowest counts as hanging some day.
func TestLongestTurn(t *testing.T) {
	for baud, want := range map[int]time.Duration{115200: 17 * time.Second, 9600: 28 * time.Second, 50: 42 * time.Minute} {
		c := Defaults()
		c.Baud = baud
		if got := c.longestTurn(); got > want || got < want*8/10 {
			t.Errorf("%d baud: %v, want about %v", baud, got, want)
		}
	}
}
