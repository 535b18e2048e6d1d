package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/robot"
)

const shared = "sixteen-or-more!"

// rover is a bus with the keys of all processes of a robot.
type rover struct {
	*embedded.Server
	seeds map[string]*keys.Seed
	known permissions.Keys
	log   *lines
	audit *audit.Log
	kept  string // the file of audit
}

// lines is a log that tests read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

const roverFile = `
robot: rover
devices:
  front: {kind: camera}
  motors: {kind: serial, control: {safe: {x: 0}}}
  voice: {kind: audio}
drive: {device: motors, see: front}
`

// startRover returns the bus of a robot with a token and a store of tokens.
func startRover(t testing.TB, store *tokens.Store) *rover {
	t.Helper()
	file, err := robot.Parse("r", []byte(roverFile))
	if err != nil {
		t.Fatal(err)
	}
	r := &rover{seeds: map[string]*keys.Seed{}, known: permissions.Keys{}, log: &lines{},
		kept: audit.Path(t.TempDir(), "rover", "bus")}
	r.audit = audit.Open(r.kept, nil)
	t.Cleanup(r.audit.Close)
	add := func(name string, rules []permissions.Rule) {
		seed, err := keys.New()
		if err != nil {
			t.Fatal(err)
		}
		r.seeds[name] = seed
		r.known[seed.Public()] = permissions.Holder{Name: "rover/" + name,
			Permissions: permissions.Of(rules, name != "gateway")}
	}
	for i := range file.Devices {
		add(file.Devices[i].Name, permissions.Device(file, &file.Devices[i]))
	}
	add("gateway", permissions.Gateway("rover"))
	add("launcher", permissions.Launcher("rover"))
	if r.Server, err = embedded.Start(embedded.Config{Token: shared, Tokens: store, Keys: r.known,
		Log: r.log.logger(), Audit: r.audit}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// raw connects as NATS programs do, as a compromised process would.
func (r *rover) raw(t testing.TB, name string) *nats.Conn {
	t.Helper()
	seed := r.seeds[name]
	nc, err := nats.Connect(r.URL(), nats.Nkey(seed.Public(), seed.Sign), nats.Timeout(patience), nats.NoReconnect(),
		nats.CustomInboxPrefix(bus.InboxPrefix(seed.Public())),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// as connects as a process of the robot does.
func (r *rover) as(t testing.TB, name string, log *slog.Logger) *bus.ConnCloser {
	t.Helper()
	c, err := bus.Connect(bus.Config{URL: r.URL(), Seed: r.seeds[name], Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// admin connects with the token of the robot.
func (r *rover) admin(t testing.TB) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(r.URL(), nats.Token(shared), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// allowed reports whether the server lets a connection do something.
func allowed(t testing.TB, nc *nats.Conn, do func() error) bool {
	t.Helper()
	before := nc.LastError()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	err := nc.LastError()          // the server's complaint came before its answer to Flush
	same := errors.Is(err, before) // no other one has come
	if !same && !errors.Is(err, nats.ErrPermissionViolation) {
		t.Fatal(err)
	}
	return same
}

// describer is a device that describes itself.
type describer struct {
	devicev1.UnimplementedDeviceServiceServer
	name string
}

func (d describer) GetDevice(context.Context, *devicev1.GetDeviceRequest) (*devicev1.GetDeviceResponse, error) {
	return &devicev1.GetDeviceResponse{Device: &devicev1.Device{Robot: "rover", Name: d.name}}, nil
}

func (d describer) HoldStream(context.Context, *devicev1.HoldStreamRequest) (*devicev1.HoldStreamResponse, error) {
	return &devicev1.HoldStreamResponse{Epoch: 7}, nil
}

func (d describer) Acknowledge(context.Context, *devicev1.AcknowledgeRequest) (*devicev1.AcknowledgeResponse, error) {
	return &devicev1.AcknowledgeResponse{}, nil
}

func serve(t testing.TB, c *bus.ConnCloser, name string) {
	t.Helper()
	kind := map[string]string{"front": "camera", "motors": "serial", "voice": "audio"}[name]
	service, err := c.Serve(bus.ServiceConfig{Address: bus.Address{Robot: "rover", Device: name}, Kind: kind,
		Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.RegisterService(&devicev1.DeviceService_ServiceDesc, describer{name: name}); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}
