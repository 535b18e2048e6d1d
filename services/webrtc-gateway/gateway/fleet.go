package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/fleet"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/server"
)

// fleetRealm is whose logins count at a gateway of a fleet: who has signed in once has done so for all robots.
const fleetRealm = "fleet"

// robots are those of a gateway of a fleet.
type robots struct {
	shared    *shared
	known     *presence.Robots
	instances *fleet.Instances
	front     *server.Front
}

// hubRemedy returns what to do about what package bus says of the hub; nil without a fleet.
func hubRemedy(c *config.Config) func(trouble string) string {
	if !c.Fleet {
		return nil
	}
	return func(trouble string) string {
		switch text := strings.ToLower(trouble); {
		case c.BusSeed != nil && (strings.Contains(text, "authorization violation") ||
			strings.Contains(text, "nkeys not supported")): // that is a hub that knows nobody
			return fmt.Sprintf("the hub does not accept the key: its hub.yaml needs `gateways: {main: {key: %s}}`, with any name",
				c.BusSeed.Public())
		case strings.Contains(text, "x509:"):
			return "the certificate of the hub is not trusted: name the PEM file of its authority with --ca, or the name in the " +
				"certificate with --nats"
		}
		return ""
	}
}

// serveFleet starts to serve all robots at a hub.
func (a *shared) serveFleet(metrics *prometheus.Registry, log *slog.Logger) (f *robots, err error) {
	f = &robots{shared: a}
	defer func() {
		if err != nil {
			f.close()
			f = nil
		}
	}()
	if f.known, err = presence.FollowRobots(a.conn, presence.RobotsConfig{Log: log}); err != nil {
		return f, err
	}
	f.instances = fleet.New(fleet.Config{
		Robots: f.known, Connected: a.conn.Connected, Ask: a.ask, Log: log, Metrics: metrics,
		Open: func(name string, about *fleetv1.GetRobotResponse) (fleet.Robot, fleet.Follower, error) {
			m, err := a.open(name, about, log)
			return m, m, err
		},
	})
	c := a.serverConfig()
	c.Log, c.Metrics = log, metrics
	f.front, err = server.NewFront(server.FrontConfig{Config: c, Robots: f.known, Instances: f.instances,
		Gatherer: prometheus.Gatherers{metrics, prometheus.GathererFunc(f.gather)}})
	return f, err
}

// ask asks a robot about itself.
func (a *shared) ask(ctx context.Context, name string) (*fleetv1.GetRobotResponse, error) {
	address := bus.Address{Robot: name, Device: bus.RobotDevice}
	return fleetv1.NewRobotServiceClient(a.conn.Client(address)).GetRobot(ctx, &fleetv1.GetRobotRequest{})
}

// open starts to serve one robot of a fleet.
func (a *shared) open(name string, about *fleetv1.GetRobotResponse, log *slog.Logger) (*member, error) {
	metrics := prometheus.NewRegistry()
	c := a.serverConfig()
	r, err := a.serve(name, devicesOf(about), about.GetDrive(), c, metrics, log.With("robot", name))
	if err != nil {
		return nil, err
	}
	return &member{robot: r, handler: r.server.Handler(), drive: about.GetDrive(), metrics: metrics}, nil
}

// devicesOf lists the devices that a robot has told of: name and kind.
func devicesOf(about *fleetv1.GetRobotResponse) []*devicev1.Device {
	var list []*devicev1.Device
	for _, d := range about.GetState().GetDevices() {
		list = append(list, &devicev1.Device{Name: d.GetName(), Kind: d.GetKind()})
	}
	return list
}

// gather returns the metrics of the robots that are served, by robot.
func (f *robots) gather() (all []*dto.MetricFamily, err error) {
	var each prometheus.Gatherers
	f.instances.All(func(name string, r fleet.Robot) {
		label := &dto.LabelPair{Name: proto.String("robot"), Value: proto.String(name)}
		each = append(each, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			families, err := r.(*member).metrics.Gather()
			for _, family := range families {
				for _, m := range family.Metric {
					m.Label = append(m.Label, label)
				}
			}
			return families, err
		}))
	})
	return each.Gather()
}

// stop ends what visitors have open.
func (f *robots) stop() {
	if f.front != nil {
		f.front.Close()
	}
	if f.instances != nil {
		f.instances.Close()
	}
}

// close ends everything.
func (f *robots) close() {
	f.stop()
	if f.known != nil {
		f.known.Close()
	}
}

// member is a robot of a fleet while it is served. It implements [fleet.Robot] and [fleet.Follower].
type member struct {
	*robot
	handler http.Handler
	drive   *signalingv1.Drive
	metrics *prometheus.Registry
}

// ServeHTTP implements [http.Handler].
func (m *member) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Busy implements [fleet.Robot].
func (m *member) Busy() bool { return m.engine.Busy() }

// Told implements [fleet.Follower].
func (m *member) Told(about *fleetv1.GetRobotResponse) bool {
	m.directory.Expect(devicesOf(about))
	return proto.Equal(m.drive, about.GetDrive())
}

// SetAway implements [fleet.Follower].
func (m *member) SetAway(reason string) { m.directory.SetAway(reason) }

// Close implements [fleet.Robot].
func (m *member) Close() { m.close() }
