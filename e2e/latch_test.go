package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/lease"
)

// driver is a driver who wants to go on at any price: they take the lease again and again, send neutral first as they
// must, and then full speed.
type driver struct {
	mu       sync.Mutex
	refusals int // because of the e-stop
}

// startDriver drives `motors` over the bus until the test ends.
func startDriver(t *testing.T, url string) *driver {
	t.Helper()
	conn, err := bus.Connect(bus.Config{URL: url, Name: "driver"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &driver{}
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			d.drive(ctx, conn.Client(bus.Address{Robot: "e2e", Device: "motors"}))
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		conn.Close()
	})
	return d
}

// drive drives under one lease, until it is lost.
func (d *driver) drive(ctx context.Context, conn grpc.ClientConnInterface) {
	l, err := lease.Take(ctx, conn, "driver", "")
	if err != nil {
		return // the motors are away
	}
	defer l.Close()
	motors := serialv1.NewSerialServiceClient(conn)
	command := l.Neutral()
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		header, err := l.Header(ctx)
		if err != nil {
			return
		}
		r, err := motors.WriteMessage(ctx,
			&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: command}, Control: header})
		l.Heard(r.GetReport(), err)
		command = `{"left": 200, "right": 200}`
		if err != nil {
			d.refused(lease.Report(err))
			command = l.Neutral()
		}
	}
}

func (d *driver) refused(report *controlv1.CommandReport) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if report.GetVerdict() == controlv1.CommandVerdict_COMMAND_VERDICT_E_STOPPED {
		d.refusals++
	}
}

// awaitRefusals waits until the driver has been refused several more times.
func (d *driver) awaitRefusals(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.refusals
	}
	have := count()
	harness.Until(t, "the driver is refused", func() error {
		if count() < have+n {
			return fmt.Errorf("%d times so far", count()-have)
		}
		return nil
	})
}

// TestEStopLatches presses the e-stop against a driver who does not give up, and takes down one part of the robot
// after another.
func TestEStopLatches(t *testing.T) {
	address, web, state := harness.FreeAddress(t), harness.FreeAddress(t), t.TempDir()
	env := []string{"WALDO_NATS=nats://" + address, "WALDO_ROBOT=e2e", "XDG_STATE_HOME=" + state}
	wire := harness.StartWire(t)
	file := harness.WriteFile(t, "robot.yaml",
		"robot: e2e\ndevices:\n  "+wire.Device()+"\ndrive: "+harness.RoverDrive+"\n")
	parts := map[string]func() *harness.Process{
		"bus": func() *harness.Process { return harness.StartBus(t, address) },
		"gateway": func() *harness.Process {
			return harness.Start(t, env, harness.Bin(t, "waldo-gateway"), "--http", web, "--ice", harness.FreeAddress(t))
		},
		"motors": func() *harness.Process {
			return harness.Start(t, env, harness.Bin(t, "waldo-serial"), "--robot-file", file, "--device", "motors", "--grpc",
				"127.0.0.1:0")
		},
	}
	running := map[string]*harness.Process{}
	for _, name := range []string{"bus", "gateway", "motors"} {
		running[name] = parts[name]()
	}
	waldo := func(args ...string) { harness.Run(t, env, harness.Bin(t, "waldo"), args...) }

	begin := time.Now()
	driver := startDriver(t, "nats://"+address)
	wire.AwaitMotion(t, begin, "the motors turn", moves)
	waldo("estop", "--reason", "test")
	stopped := wire.AwaitStill(t, time.Now(), quiet)
	driver.awaitRefusals(t, 10)

	for _, name := range []string{"gateway", "bus", "motors"} {
		running[name].Kill(t)
		running[name] = parts[name]()
		driver.awaitRefusals(t, 20)
	}
	running["motors"].Stop(t)
	running["motors"] = parts["motors"]()
	driver.awaitRefusals(t, 20)
	wire.MustStayStill(t, stopped)

	begin = time.Now()
	waldo("estop", "--clear")
	first := wire.AwaitMotion(t, begin, "the motors turn again", moves)
	for _, m := range wire.Motions(begin) {
		if !m.Moves() && m.At.Before(first.At) {
			return
		}
	}
	t.Error("the first command after the e-stop was not neutral")
}
