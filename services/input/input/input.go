// Package input is the device kind "input": it reads the configuration, creates the source it names, and
// connects it with the hub of reports, the gRPC service and the bus. Everything that runs is owned by
// the driver's Run, which package device calls.
package input

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/services/input/evdev"
	"github.com/waldo-robot/waldo/services/input/reports"
	"github.com/waldo-robot/waldo/services/input/service"
	"github.com/waldo-robot/waldo/services/input/sim"
	"github.com/waldo-robot/waldo/services/input/source"
)

// Kind is what package device runs.
func Kind() device.Kind[Config] { return KindOf(open) }

// KindOf is Kind with sources from another constructor, for tests.
func KindOf(open func(Config) (source.Source, error)) device.Kind[Config] {
	return device.Kind[Config]{Name: "input", Version: version.Version, Defaults: Defaults(), OneCore: true,
		New: func(kit *device.Kit, c Config) (device.Driver, error) {
			src, err := open(c)
			if err != nil {
				return nil, err
			}
			return newDriver(kit, c, src)
		}}
}

// open creates the source that the configuration names.
func open(c Config) (source.Source, error) {
	if c.Source == fromEvdev {
		return evdev.New(evdev.Config{Path: c.Path, Match: c.Match, Name: c.Name, Grab: c.Grab}), nil
	}
	if c.Script == "" {
		return sim.New(nil), nil
	}
	script, err := sim.Load(c.Script)
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	return sim.New(script), nil
}

// list lists the devices of the machine; a simulated one is added where it is used.
func (c *Config) list() ([]source.Info, error) {
	all, err := evdev.List()
	if c.Source == fromSim {
		all = append(all, sim.Info())
	}
	return all, err
}

// driver works one input device.
type driver struct {
	kit    *device.Kit
	source source.Source
	hub    *reports.Hub
	events *device.Out[*inputv1.Report]
	feed   *stream.Subscription[*inputv1.Report] // of the bus; it waits between two runs
}

func newDriver(kit *device.Kit, c Config, src source.Source) (*driver, error) {
	kinds, err := c.kinds()
	if err != nil {
		return nil, err
	}
	hub := reports.New(kit.Epoch(), reports.Config{Kinds: kinds, DeadZone: c.DeadZone, Metrics: kit.Metrics})
	d := &driver{kit: kit, source: src, hub: hub, feed: hub.Feed()}
	inputv1.RegisterInputServiceServer(kit, service.New(hub, c.list))
	d.events = device.NewOut[*inputv1.Report](kit, "events", device.OutOptions{})
	return d, kit.Metrics.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "waldo_input_bus_lost_total", Help: "Reports dropped because the bus was too slow. Its readers see a " +
			"gap in the sequence."},
		func() float64 { return float64(d.feed.Lost()) }))
}

// errStopped is the reason why the device is away at the end.
var errStopped = errors.New("it is being stopped")

// Run runs the source until it goes away or ctx ends. Readers stay connected in between. The report that
// releases everything when the source goes is on the bus before Run returns.
func (d *driver) Run(ctx context.Context, ready func()) error {
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var bus sync.WaitGroup
	bus.Go(func() { d.publish(publishing) })
	defer bus.Wait()
	defer stop()
	err := d.source.Run(ctx, opened{d.hub, d.kit, ready})
	if ctx.Err() == nil {
		d.hub.Detach(err)
		return err
	}
	d.hub.Detach(errStopped)
	d.hub.Close() // permanently: ends the calls in progress
	return ctx.Err()
}

// publish sends reports to the bus until ctx ends, and then those still waiting. Nothing is sent while
// nobody holds the stream.
func (d *driver) publish(ctx context.Context) {
	for {
		report, err := d.feed.Next(ctx)
		if err != nil {
			break // ctx ended, or the hub was closed
		}
		d.events.Publish(report)
	}
	for report, ok := d.feed.TryNext(); ok; report, ok = d.feed.TryNext() {
		d.events.Publish(report)
	}
}

// opened is the hub, plus what else has to happen when the source has opened its device.
type opened struct {
	*reports.Hub
	kit   *device.Kit
	ready func()
}

// Opened implements source.Sink.
func (o opened) Opened(i source.Info, now source.State) {
	o.kit.SetAttributes(map[string]string{"driver": i.Driver, "name": i.Name, "path": i.Path, "id": i.ID, "kind": i.Kind})
	o.Hub.Opened(i, now)
	o.ready()
}
