// Command watch prints the temperature of a thermometer: watch demo shade. It holds the stream while it runs.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: watch <robot> <device>")
		os.Exit(2)
	}
	url := cmp.Or(os.Getenv("WALDO_NATS"), "nats://127.0.0.1:4222")
	if err := watch(ctx, url, bus.Address{Robot: os.Args[1], Device: os.Args[2]}, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "watch:", err)
		os.Exit(1)
	}
}

// watch prints the stream until ctx ends.
func watch(ctx context.Context, url string, device bus.Address, to io.Writer) error {
	if err := device.Validate(); err != nil {
		return err
	}
	conn, err := bus.Connect(bus.Config{URL: url, Name: "watch", Token: os.Getenv("WALDO_TOKEN")})
	if err != nil {
		return err
	}
	defer conn.Close()
	values, err := bus.Subscribe[*wrapperspb.DoubleValue](conn.Conn, device.Out("temperature"), stream.Latest())
	if err != nil {
		return err
	}
	hold := conn.Hold(device, "temperature", "watch") // the device publishes from now on
	defer hold.Close()
	for v, err := range values.All(ctx) {
		if err != nil {
			return nil // interrupted
		}
		if _, err := fmt.Fprintf(to, "%.1f °C\n", v.Value); err != nil {
			return err
		}
	}
	return nil
}
