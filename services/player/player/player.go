package player

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/recording/play"
)

// tellEvery is how often the state is told and kept while nothing changes.
const tellEvery = time.Second

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "player", Version: version.Version, Defaults: Defaults(), OneCore: true,
		New: func(kit *device.Kit, c Config) (device.Driver, error) { return newDriver(kit, c) }}
}

// driver plays one recording.
type driver struct {
	kit       *device.Kit
	config    Config
	recording *play.Recording
	name      string // of the recording
	transport *transport
	file      *file
	latest    play.Latest // the clock, for what is played here
	states    *stream.Topic[*playerv1.PlayerState]
	out       *device.Out[*playerv1.PlayerState]
	wake      chan struct{} // holds a token when the clock has changed
}

func newDriver(kit *device.Kit, c Config) (*driver, error) {
	recording, err := play.Open(c.Files...)
	if err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	folder, err := state.Folder(c.State, os.Getenv)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state: %w", err), recording.Close())
	}
	address := kit.Address()
	kept, err := newFile(folder, address.Robot, address.Device, c.Files)
	if err != nil {
		return nil, errors.Join(err, recording.Close())
	}
	d := &driver{
		kit: kit, config: c, recording: recording, name: filepath.Base(c.Files[0]), file: kept,
		states: stream.NewTopic[*playerv1.PlayerState](), wake: make(chan struct{}, 1),
	}
	d.transport = &transport{now: boottime.Now, changed: d.changed, clock: d.begin()}
	d.latest.Set(d.transport.clock)
	d.out = device.NewOut[*playerv1.PlayerState](kit, play.Stream, device.OutOptions{})
	playerv1.RegisterPlayerServiceServer(kit, &service{driver: d})
	kit.SetAttributes(map[string]string{
		"recording": d.name, "duration": recording.Duration().Round(time.Millisecond).String(),
		"recorded": recording.Begin().UTC().Format(time.RFC3339),
	})
	if err := recording.Problem(); err != nil {
		kit.Log.Warn("the recording is damaged; what can be read is played", "error", err)
		kit.SetAttributes(map[string]string{"damage": err.Error()})
	}
	context.AfterFunc(kit.Stopping(), func() { d.states.Close(nil) }) // ends calls that watch
	kit.OnStop(func() { _ = recording.Close() })                      // it was only read
	return d, nil
}

// begin returns the clock of the process that was here before, or a new one.
func (d *driver) begin() play.Clock {
	now, duration := boottime.Now(), d.recording.Duration()
	if c, there := d.file.load(now, duration); there {
		d.kit.Log.Info("the player goes on", "place", c.Place(now))
		return c
	}
	return play.Clock{
		Jump:    time.Now().UnixMicro(), // more than that of a process whose file is gone
		Playing: !d.config.Paused, Offset: min(d.config.Start, duration), At: now, Speed: d.config.Speed, Loop: d.config.Loop,
		Duration: duration,
	}
}

// state is the clock as it is said.
func (d *driver) state(c play.Clock) *playerv1.PlayerState {
	s := c.State(boottime.Now())
	s.Epoch, s.Name, s.StartTime = d.kit.Epoch(), d.name, timestamppb.New(d.recording.Begin())
	return s
}

// changed has a new clock told soon. It does not wait.
func (d *driver) changed(c play.Clock) {
	d.latest.Set(c)
	d.poke()
}

func (d *driver) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run plays until ctx ends.
func (d *driver) Run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel()
	owned.Go(func() { d.keep(ctx) })
	owned.Go(func() { // who begins to read is told at once
		_ = d.out.WhileHeld(ctx, func(ctx context.Context) error {
			d.poke()
			<-ctx.Done()
			return nil
		})
	})
	failed := make(chan error, 1)
	if d.config.Messages {
		owned.Go(func() { failed <- d.playMessages(ctx) })
	}
	ready()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keep has the recording end, or begin again, and says and keeps the clock.
func (d *driver) keep(ctx context.Context) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	var problem string
	for {
		left, comes := d.transport.end()
		c := d.transport.get()
		s := d.state(c)
		d.out.Publish(s)
		d.states.Publish(s)
		problem = d.save(c, problem)
		if !d.pause(ctx, tick, left, comes) {
			return
		}
	}
}

// save keeps the clock, and returns what prevents it. A problem is logged once.
func (d *driver) save(c play.Clock, known string) string {
	err := d.file.save(c, boottime.Now())
	if err == nil {
		return ""
	}
	if err.Error() != known {
		d.kit.Log.Warn("the place is not kept: after a crash of the player the recording begins anew", "error", err)
	}
	return err.Error()
}

// pause waits until there is something to do. It returns false when ctx ends.
func (d *driver) pause(ctx context.Context, tick *time.Ticker, left time.Duration, comes bool) bool {
	var end <-chan time.Time
	if comes {
		timer := time.NewTimer(left)
		defer timer.Stop()
		end = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-d.wake:
	case <-tick.C:
	case <-end:
	}
	return true
}
