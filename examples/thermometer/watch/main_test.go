package main

import (
	"bufio"
	"context"
	"io"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
)

type none struct{}

// warm is a driver that publishes 21.5 while its stream is held.
type warm struct {
	out *device.Out[*wrapperspb.DoubleValue]
}

func (w warm) Run(ctx context.Context, ready func()) error {
	ready()
	return w.out.WhileHeld(ctx, func(ctx context.Context) error {
		for tick := time.Tick(10 * time.Millisecond); ctx.Err() == nil; <-tick {
			w.out.Publish(wrapperspb.Double(21.5))
		}
		return ctx.Err()
	})
}

func TestWatch(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p, err := device.Start(device.Kind[none]{Name: "thermometer", Version: "1.0.0",
		New: func(k *device.Kit, _ none) (device.Driver, error) {
			return warm{device.NewOut[*wrapperspb.DoubleValue](k, "temperature", device.OutOptions{})}, nil
		}}, device.Settings{Robot: "demo", Device: "shade", NATS: server.URL()}, none{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()

	from, to := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		err := watch(ctx, server.URL(), bus.Address{Robot: "demo", Device: "shade"}, to)
		_ = to.Close() // never fails
		ended <- err
	}()
	line, err := bufio.NewReader(from).ReadString('\n')
	if err != nil || line != "21.5 °C\n" {
		t.Errorf("watch printed %q, %v", line, err)
	}
	cancel()
	_, _ = io.Copy(io.Discard, from) // output until it notices
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := watch(t.Context(), server.URL(), bus.Address{Robot: "demo", Device: "No"}, io.Discard); err == nil {
		t.Error("watch accepted an invalid device name")
	}
}
