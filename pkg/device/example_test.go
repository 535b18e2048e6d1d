package device_test

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Config is the configuration of the device in the examples.
type Config struct {
	Every time.Duration `yaml:"every" help:"time between two values"`
}

// counter is a driver that counts while somebody reads.
type counter struct {
	every time.Duration
	out   *device.Out[*wrapperspb.Int64Value]
}

func open(kit *device.Kit, c Config) (device.Driver, error) {
	return &counter{c.Every, device.NewOut[*wrapperspb.Int64Value](kit, "numbers", device.OutOptions{})}, nil
}

// Run has no hardware to open, so it is ready at once.
func (c *counter) Run(ctx context.Context, ready func()) error {
	ready()
	return c.out.WhileHeld(ctx, func(ctx context.Context) error {
		for n := int64(1); ctx.Err() == nil; n++ {
			c.out.Publish(wrapperspb.Int64(n))
			select {
			case <-time.After(c.every):
			case <-ctx.Done():
			}
		}
		return ctx.Err()
	})
}

// This is all that the main function of a device does.
func ExampleMain() {
	main := func() {
		device.Main(device.Kind[Config]{Name: "counter", Version: "1.0.0", Defaults: Config{Every: time.Second}, New: open})
	}
	_ = main // it would not return
}

// A test starts a device in its own process, here together with a bus and a reader.
func ExampleStart() {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	kind := device.Kind[Config]{Name: "counter", Version: "1.0.0", New: open}
	process, err := device.Start(kind, device.Settings{Device: "hall", NATS: server.URL()},
		Config{Every: time.Millisecond}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer process.Stop()

	conn, err := bus.Connect(bus.Config{URL: server.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	address := process.Kit().Address()
	numbers, err := bus.Subscribe[*wrapperspb.Int64Value](conn.Conn, address.Out("numbers"), stream.DropOldest(10))
	if err != nil {
		fmt.Println(err)
		return
	}
	hold := conn.Hold(address, "numbers", "example")
	defer hold.Close()
	n, err := numbers.Next(context.Background())
	fmt.Println(address, n.GetValue(), err)
	// Output: robot/hall 1 <nil>
}
