// Command thermometer publishes a temperature while somebody watches. The README beside it explains it step by step.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// Config holds the settings from robot.yaml, flags, and the environment.
type Config struct {
	Path  string        `yaml:"path" path:"any" help:"file that holds thousandths of a degree Celsius"`
	Every time.Duration `yaml:"every" help:"time between two readings"`
}

// Validate is called by the kit once flags, environment and robot.yaml have been read.
func (c *Config) Validate() error {
	if c.Every < 10*time.Millisecond {
		return robot.BadField("every", "%v is too short: use 10ms or more", c.Every)
	}
	return nil
}

func main() {
	device.Main(device.Kind[Config]{Name: "thermometer", Version: "1.0.0", New: open,
		Defaults: Config{Path: "/sys/class/thermal/thermal_zone0/temp", Every: time.Second}})
}

type thermometer struct {
	Config
	out *device.Out[*wrapperspb.DoubleValue]
}

func open(kit *device.Kit, c Config) (device.Driver, error) {
	return serve(kit, &thermometer{c, device.NewOut[*wrapperspb.DoubleValue](kit, "temperature",
		device.OutOptions{})}), nil
}

// Run checks that the sensor is present, and reads it while somebody holds the stream.
func (t *thermometer) Run(ctx context.Context, ready func()) error {
	if _, err := t.read(); err != nil {
		return err
	}
	ready()
	return t.out.WhileHeld(ctx, t.publish)
}

func (t *thermometer) publish(ctx context.Context) error {
	for tick := time.Tick(t.Every); ctx.Err() == nil; {
		celsius, err := t.read()
		if err != nil {
			return err // the kit shows it as the state and runs us again
		}
		t.out.Publish(wrapperspb.Double(celsius))
		select {
		case <-tick:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (t *thermometer) read() (float64, error) {
	text, err := os.ReadFile(t.Path)
	if err != nil {
		return 0, err
	}
	var milli float64
	if _, err := fmt.Sscan(string(text), &milli); err != nil {
		return 0, fmt.Errorf("%s does not hold a number: %w", t.Path, err)
	}
	return milli / 1000, nil
}
