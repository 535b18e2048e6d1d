// Command thermometer is a device of one's own: it reads a temperature from a file of the kernel, once a second while
// somebody looks, and publishes it on the stream `temperature`.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waldo-robot/waldo/pkg/device"
)

// Config is what robot.yaml, flags and environment can say.
type Config struct {
	Path  string        `yaml:"path" help:"file that holds thousandths of a degree Celsius"`
	Every time.Duration `yaml:"every" help:"time between two readings"`
}

func main() {
	device.Main(device.Kind[Config]{
		Name:     "thermometer",
		Version:  "1.0.0",
		Defaults: Config{Path: "/sys/class/thermal/thermal_zone0/temp", Every: time.Second},
		New: func(kit *device.Kit, c Config) (device.Driver, error) {
			out := device.NewOut[*wrapperspb.DoubleValue](kit, "temperature", device.OutOptions{})
			return &thermometer{c, out}, nil
		},
	})
}

type thermometer struct {
	Config
	out *device.Out[*wrapperspb.DoubleValue]
}

// Run looks whether the sensor is there, and reads it while somebody holds the stream.
func (t *thermometer) Run(ctx context.Context, ready func()) error {
	if _, err := t.read(); err != nil {
		return err
	}
	ready()
	return t.out.WhileHeld(ctx, t.publish)
}

func (t *thermometer) publish(ctx context.Context) error {
	tick := time.NewTicker(t.Every)
	defer tick.Stop()
	for {
		celsius, err := t.read()
		if err != nil {
			return err // the kit shows it as the state and runs us again
		}
		t.out.Publish(wrapperspb.Double(celsius))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *thermometer) read() (float64, error) {
	text, err := os.ReadFile(t.Path)
	if err != nil {
		return 0, err
	}
	milli, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil {
		return 0, fmt.Errorf("%s holds no number: %w", t.Path, err)
	}
	return milli / 1000, nil
}
