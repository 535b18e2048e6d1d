// Package hubtest runs a hub with its robots inside a test: real servers, real accounts, over loopback. Only what is
// behind the robots' buses is up to the test.
//
// What it starts ends with the test, in reverse order, and the test waits for that. A [Hub] and its robots are for the
// goroutine of the test; the connections that they return are safe for concurrent use.
package hubtest

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/hub"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/logtest"
)

const (
	// patience bounds waits for what must happen; it is only reached when it does not.
	patience = 30 * time.Second
	poll     = 5 * time.Millisecond
	// gateway is the name of the hub's only gateway.
	gateway = "gateway"
)

// Hub is a running hub.
type Hub struct {
	Server *hub.Server
	Config *hub.Config

	folder string
}

// Start runs a hub that these robots may connect to, and one gateway, until the test ends.
func Start(t testing.TB, robots ...string) *Hub {
	t.Helper()
	h := &Hub{folder: t.TempDir(), Config: &hub.Config{
		Hub: "test", Listen: "127.0.0.1:0", Leaf: "127.0.0.1:0", Robots: map[string]hub.Member{},
		Gateways: map[string]hub.Member{},
	}}
	h.Config.Gateways[gateway] = h.member(t, gateway)
	for _, name := range robots {
		h.Config.Robots[name] = h.member(t, name)
	}
	if err := h.Config.Validate(); err != nil {
		t.Fatal(err)
	}
	h.Run(t)
	return h
}

// Run starts the hub again after [hub.Server.Close], at the same addresses.
func (h *Hub) Run(t testing.TB) {
	t.Helper()
	server, err := hub.Start(h.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	h.Server = server
	h.Config.Listen = strings.TrimPrefix(server.URL(), "nats://")
	h.Config.Leaf = strings.TrimPrefix(server.LeafURL(), "nats://")
}

// member makes a key.
func (h *Hub) member(t testing.TB, name string) hub.Member {
	t.Helper()
	public, err := hub.NewKey(h.SeedFile(name))
	if err != nil {
		t.Fatal(err)
	}
	return hub.Member{Key: public}
}

// SeedFile has the secret key of a robot.
func (h *Hub) SeedFile(name string) string { return filepath.Join(h.folder, name+".seed") }

// seed is the secret key of a member.
func (h *Hub) seed(t testing.TB, name string) *keys.Seed {
	t.Helper()
	seed, err := keys.Read(h.SeedFile(name))
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// CloudConfig is how a gateway connects, in the account that sees all robots.
func (h *Hub) CloudConfig(t testing.TB) bus.Config {
	t.Helper()
	return bus.Config{URL: h.Server.URL(), Name: gateway, Seed: h.seed(t, gateway), Log: logtest.New(t, slog.LevelDebug)}
}

// Cloud connects as a gateway, until the test ends.
func (h *Hub) Cloud(t testing.TB) *bus.ConnCloser {
	t.Helper()
	return Connect(t, h.CloudConfig(t))
}

// RobotConfig is how a program connects to the hub in the account of a robot, as its uplink does.
func (h *Hub) RobotConfig(t testing.TB, name string) bus.Config {
	t.Helper()
	return bus.Config{URL: h.Server.URL(), Name: name, Seed: h.seed(t, name), Log: logtest.New(t, slog.LevelDebug)}
}

// Leaf is how the bus of a robot connects to the hub.
func (h *Hub) Leaf(t testing.TB, name string) *embedded.Leaf {
	t.Helper()
	return &embedded.Leaf{URL: h.Server.LeafURL(), Robot: name, Seed: h.seed(t, name),
		Log: logtest.New(t, slog.LevelDebug)}
}

// Robot is the bus of a robot.
type Robot struct {
	*embedded.Server
}

// Robot runs the bus of a robot and returns when it is linked to the hub.
func (h *Hub) Robot(t testing.TB, name string) *Robot {
	t.Helper()
	server, err := embedded.Start(embedded.Config{Leaf: h.Leaf(t, name)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	r := &Robot{server}
	r.AwaitLink(t)
	return r
}

// AwaitLink returns when the robot is linked to the hub.
func (r *Robot) AwaitLink(t testing.TB) {
	t.Helper()
	Await(t, "the robot is linked to the hub", r.Linked)
}

// Conn connects to the bus of the robot, until the test ends.
func (r *Robot) Conn(t testing.TB) *bus.ConnCloser {
	t.Helper()
	return Connect(t, bus.Config{URL: r.URL(), Name: "test", Log: logtest.New(t, slog.LevelDebug)})
}

// Connect returns a connection that works, until the test ends.
func Connect(t testing.TB, cfg bus.Config) *bus.ConnCloser {
	t.Helper()
	c, err := bus.Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	Await(t, cfg.Name+" is connected", c.Connected)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Await returns when a condition holds.
func Await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(poll) {
		if time.Now().After(end) {
			t.Fatalf("after %v it is not so that %s", patience, what)
		}
	}
}
