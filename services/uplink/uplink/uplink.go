package uplink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/greeting"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/pkg/version"
)

const (
	// reachTime bounds the wait for a hub before the reason is told.
	reachTime = 5 * time.Second
	// lookEvery is how often it is seen whether the hub is still there.
	lookEvery = 50 * time.Millisecond
	// redial is how long an uplink whose connection has broken waits at most: at random, so that those of a fleet do not
	// come back all at once.
	redial = time.Second
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "uplink", Version: version.Version, Defaults: Defaults(), New: newDriver}
}

// driver connects to the hub, again and again.
type driver struct {
	kit     *device.Kit
	config  Config
	seed    *keys.Seed
	metrics *metrics
	broken  bool // the last run ended by itself
}

func newDriver(kit *device.Kit, c Config) (device.Driver, error) {
	if !c.hub.Given() {
		return nil, errNoHub
	}
	file, err := c.hub.KeyFile(os.Getenv)
	if err != nil {
		return nil, err
	}
	seed, err := keys.Read(file)
	if err != nil {
		return nil, fmt.Errorf("fleet.key: %w", err)
	}
	m, err := newMetrics(kit.Metrics)
	if err != nil {
		return nil, err
	}
	kit.SetAttributes(map[string]string{"hub": access.RedactURL(c.hub.Media)})
	return &driver{kit: kit, config: c, seed: seed, metrics: m}, nil
}

// errLost is why a run ends when the connection does.
var errLost = errors.New("the connection to the hub is lost")

// Run connects to the hub and forwards until the connection is lost or ctx ends. Everything is made anew by the next
// run: the holders at the hub renew their holds every second.
func (d *driver) Run(ctx context.Context, ready func()) (err error) {
	// The devices are known by the time that the hub is there: each says only once a second that it exists.
	devices, err := presence.FollowDevices(d.kit.Bus(), d.config.robot, presence.DevicesConfig{Log: d.kit.Log})
	if err != nil {
		return err
	}
	defer devices.Close()
	if d.broken {
		if err := pause(ctx, rand.N(redial)); err != nil {
			return err
		}
	}
	defer func() { d.broken = ctx.Err() == nil }()
	hub, err := bus.Connect(bus.Config{URL: d.config.hub.Media, Name: d.config.robot + "/uplink", Seed: d.seed,
		CA: d.config.hub.CA, Log: d.kit.Log.With("to", "hub")})
	if err != nil {
		return err
	}
	defer hub.Close()
	if err := d.reach(ctx, hub.Conn); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := newSession(d, hub.Conn, devices, cancel)
	s.start(ctx)
	defer s.work.Wait()
	defer cancel(nil)
	ready()
	watch(ctx, hub.Conn, cancel)
	return context.Cause(ctx)
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// reach returns once the hub is there and is the right one, or with the reason why not.
func (d *driver) reach(ctx context.Context, hub *bus.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	for !hub.Connected() {
		if pause(ctx, lookEvery) != nil {
			return d.unreachable()
		}
	}
	g, err := greeting.Read(ctx, d.config.hub.Media)
	if err == nil {
		err = g.CheckClient()
	}
	if err != nil {
		return fmt.Errorf("the hub %s: %w", access.RedactURL(d.config.hub.Media), err)
	}
	account, err := hub.Account(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("the hub %s: %w", access.RedactURL(d.config.hub.Media), err)
	case account != d.config.robot:
		return fmt.Errorf("the hub takes this robot's key for that of %q, but it is %s: correct the names in hub.yaml, or the "+
			"key of the section fleet", account, d.config.robot)
	}
	return nil
}

// unreachable tells why there is no connection.
func (d *driver) unreachable() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	at := access.RedactURL(d.config.hub.Media)
	g, err := greeting.Read(ctx, d.config.hub.Media)
	if err != nil {
		return fmt.Errorf("the hub cannot be reached at %s: %w", at, err)
	}
	if err := errors.Join(g.CheckTLS(d.config.hub.Media), g.CheckClient()); err != nil {
		return fmt.Errorf("the hub %s: %w", at, err)
	}
	return fmt.Errorf("the hub %s does not accept the robot's key or has a certificate that is not trusted, see the log: "+
		"its hub.yaml needs `robots: {%s: {key: %s}}`", at, d.config.robot, d.seed.Public())
}

// watch returns when ctx has ended or the hub is lost, which it tells.
func watch(ctx context.Context, hub *bus.Conn, cancel context.CancelCauseFunc) {
	for hub.Connected() {
		if pause(ctx, lookEvery) != nil {
			return
		}
	}
	cancel(errLost)
}
