package replay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/foreign"
	"github.com/waldo-robot/waldo/recording/play"
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "replay", Version: version.Version, Defaults: Defaults(), Announce: announce,
		StandIn: true,
		New:     func(kit *device.Kit, c Config) (device.Driver, error) { return newDriver(kit, c) }}
}

// announce is the kind that was recorded.
func announce(c Config) (kind, v string) {
	if c.find() != nil || c.found.Kind == "" {
		return "replay", version.Version // New says what is wrong
	}
	return c.found.Kind, version.Version
}

// medium is what serves pictures or sound, as packages film and hearing do. All but Run are called by one goroutine.
type medium interface {
	device.Driver
	play.Pacer
	// Jump says that what follows does not continue what came before.
	Jump()
	// Lead takes a message before the place that shows it.
	Lead(message []byte)
	// Arrived says that all that leads to the place has come, which is reached at a time.
	Arrived(at time.Time)
	// Message takes a message whose time has come.
	Message(message []byte, at time.Time)
}

// driver replays one device.
type driver struct {
	kit     *device.Kit
	config  Config
	found   *recorded
	epochs  play.Epochs // used by the goroutine that plays
	media   []medium
	feeds   map[*play.Channel]medium             // which of them takes a channel
	foreign map[*play.Channel]*foreign.Converter // of a channel of another program
	outputs []*output
	streams map[*play.Channel]*output // which of them takes a channel
	shown   map[string]string         // the attributes that are shown; used by the goroutine that plays
	warned  time.Time                 // of what is left out; likewise

	condition *condition // of the device, as it was recorded
	playing   sync.WaitGroup
	mu        sync.Mutex
	source    play.Source   // nil: the player is not followed
	failed    chan struct{} // closed when playing has ended; nil: it has not begun
	err       error         // why
}

func newDriver(kit *device.Kit, c Config) (*driver, error) {
	if c.As == "" {
		c.As = kit.Address().Device
	}
	if err := c.find(); err != nil {
		return nil, err
	}
	d := &driver{kit: kit, config: c, found: c.found, feeds: map[*play.Channel]medium{},
		foreign: map[*play.Channel]*foreign.Converter{},
		streams: map[*play.Channel]*output{}, shown: map[string]string{}, condition: newCondition(c.found.first)}
	kit.OnStop(func() {
		d.playing.Wait()
		_ = d.found.recording.Close() // it was only read
	})
	if c.Player == kit.Address().Device {
		return nil, robot.BadField("player", "%q is this device itself", c.Player)
	}
	if err := d.warn(); err != nil {
		return nil, err
	}
	d.show(d.found.about)
	taken, err := d.newMedia()
	if err != nil {
		return nil, err
	}
	if err := d.newOutputs(taken); err != nil {
		return nil, err
	}
	context.AfterFunc(kit.Stopping(), func() { // ends calls that stream
		for _, o := range d.outputs {
			o.readers.Close(nil)
		}
	})
	return d, nil
}

// warn logs what is wrong with the recording.
func (d *driver) warn() error {
	damaged := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "waldo_replay_damaged_chunks_total", Help: "Chunks of the recording that are damaged, and were left out.",
	})
	if err := d.kit.Metrics.Register(damaged); err != nil {
		return err
	}
	d.found.recording.WatchDamage(func(err error) {
		damaged.Inc()
		d.kit.Log.Warn("a chunk of the recording is damaged, and is left out", "error", err)
	})
	if err := d.found.recording.Problem(); err != nil {
		d.kit.Log.Warn("the recording is damaged; what can be read is played", "error", err)
	}
	if others := d.found.otherKinds(); len(others) > 0 {
		d.kit.Log.Warn("the device had several kinds while it was recorded, and is replayed as one of them", "kind",
			d.found.Kind, "others", others)
	}
	if d.found.problem != nil {
		d.kit.Log.Warn("what the device said of its services cannot be read, and is left out", "error", d.found.problem)
	}
	return nil
}

// show shows the attributes that the device had.
func (d *driver) show(about *devicev1.Device) {
	now := d.found.attributes(about)
	for key := range d.shown {
		if _, still := now[key]; !still {
			now[key] = "" // removes it
		}
	}
	d.kit.SetAttributes(now)
	for key, value := range now {
		if value == "" {
			delete(now, key)
		}
	}
	d.shown = now
}

// Run serves until ctx ends, or there is no picture or sound, or the device was away at this place of the recording.
// What is played goes on meanwhile.
func (d *driver) Run(ctx context.Context, ready func()) error {
	failed := d.play()
	if err := d.condition.present(ctx, failed); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel()
	for _, o := range d.outputs {
		owned.Go(func() { _ = o.greet(ctx) }) // ends with ctx
	}
	ended := make(chan error, len(d.media))
	var waiting sync.WaitGroup // for media that are not ready
	for _, m := range d.media {
		waiting.Add(1)
		isReady := sync.OnceFunc(waiting.Done)
		owned.Go(func() {
			ended <- m.Run(ctx, isReady)
			isReady()
		})
	}
	owned.Go(func() {
		waiting.Wait()
		if ctx.Err() == nil {
			ready()
		}
	})
	for {
		changed, err := d.condition.check()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case <-changed:
		case <-failed:
			d.mu.Lock()
			defer d.mu.Unlock()
			d.failed = nil // it is tried again
			return d.err
		}
	}
}

// play has the device played, if it is not, and returns what is closed if that fails.
func (d *driver) play() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed != nil {
		return d.failed
	}
	failed := make(chan struct{})
	d.failed = failed
	d.playing.Go(func() {
		err := d.follow(d.kit.Stopping())
		d.mu.Lock()
		defer d.mu.Unlock()
		d.err = err
		close(failed)
	})
	return failed
}

// follow plays what the player says, until ctx ends.
func (d *driver) follow(ctx context.Context) error {
	player := bus.Address{Robot: d.kit.Address().Robot, Device: d.config.Player}
	source, err := play.Follow(d.kit.Bus(), player)
	if err != nil {
		return fmt.Errorf("follow the player: %w", err)
	}
	defer source.Close()
	d.mu.Lock()
	d.source = source
	d.mu.Unlock()
	return play.Run(ctx, play.Config{
		Recording: d.found.recording, Source: source, Channels: d.plays, Start: d.start,
	}, sink{d})
}

// plays reports whether a channel is the device's.
func (d *driver) plays(c *play.Channel) bool {
	return d.streams[c] != nil || d.feeds[c] != nil || c == d.found.channel(recording.State, "")
}

// start is how a channel begins after a jump.
func (d *driver) start(c *play.Channel) play.Start {
	if converter := d.foreign[c]; converter != nil {
		return play.Start{Nothing: converter.Kind() == foreign.Audio, Key: converter.Key}
	}
	return play.StartOf(c)
}

// sink takes what is played.
type sink struct{ *driver }

// Jump implements [play.Sink].
func (s sink) Jump() {
	s.epochs.Jump()
	s.condition.jump()
	for _, o := range s.outputs {
		o.jump()
	}
	for _, m := range s.media {
		m.Jump()
	}
}

// Settled implements [play.Sink].
func (s sink) Settled() {
	s.condition.settle()
	for _, m := range s.media {
		m.Arrived(time.Now())
	}
}

// Pace implements [play.Pacer].
func (s sink) Pace(playing bool, speed float64) {
	for _, m := range s.media {
		m.Pace(playing, speed)
	}
}

// Take implements [play.Sink].
func (s sink) Take(m play.Message) {
	if o := s.streams[m.Channel]; o != nil {
		o.take(s.epochs.WithEpoch(m.Data, o.epoch))
		return
	}
	if converter := s.foreign[m.Channel]; converter != nil {
		data, err := converter.Message(m.Data, s.found.recording.Begin().Add(m.Offset))
		if err != nil {
			s.leave(err)
			return
		}
		m.Data = data
	}
	switch medium := s.feeds[m.Channel]; {
	case medium == nil:
		about := &devicev1.Device{}
		if proto.Unmarshal(m.Data, about) == nil {
			s.show(about)
			s.condition.take(about)
		}
	case m.Ahead:
		medium.Lead(m.Data)
	default:
		medium.Message(m.Data, time.Now().Add(m.Due-boottime.Now()))
	}
}
