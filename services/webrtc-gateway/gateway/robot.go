package gateway

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/dynamic"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/channels"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/devices"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/foxglove"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/mjpeg"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/outside"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/publish"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/server"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/steer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// shared is what all robots of a gateway have in common.
type shared struct {
	conn       *bus.Conn
	transport  *rtc.Transport
	config     *config.Config
	version    string
	epoch      int64
	page       fs.FS
	iceServers outside.Servers
	key        *identity.Key
	rendezvous func() bool
	authority  *tokens.Authority
	logins     *server.Logins
	audit      *audit.Log
}

// robot is everything that serves one robot.
type robot struct {
	directory  *devices.Directory
	hub        *tracks.Hub
	drivers    *steer.Drivers
	steering   *steer.Steering
	mjpeg      *mjpeg.Hub
	publishers *publish.Publishers
	bridge     *channels.Bridge
	foxglove   *foxglove.Gateway
	voices     *talk.Voices
	engine     *rtc.Engine
	server     *server.Server
}

// serverConfig is what the servers of all robots have in common.
func (a *shared) serverConfig() server.Config {
	g := &a.config.Gateway
	return server.Config{
		Version: a.version, Epoch: a.epoch, Instance: a.config.Instance, ICEServers: a.iceServers, Token: g.Token,
		Hosts: g.Hosts, Origins: g.Origins,
		Key: a.key, GuestToken: g.Rendezvous.GuestToken, Rendezvous: a.rendezvous,
		BusConnected: a.conn.Connected, Page: a.page,
		Authority: a.authority, Logins: a.logins, Audit: a.audit,
	}
}

// serve starts to serve a robot, whose devices are expected and which is driven as drive says; both may be nil.
func (a *shared) serve(
	name string, expected []*devicev1.Device, drive *signalingv1.Drive, c server.Config, metrics *prometheus.Registry,
	log *slog.Logger,
) (r *robot, err error) {
	r = &robot{}
	defer func() {
		if err != nil {
			r.close()
			r = nil
		}
	}()
	if r.directory, err = devices.New(a.conn, name, devices.Config{Expected: expected, Log: log}); err != nil {
		return r, err
	}
	r.publishers = publish.New(publish.Config{Bus: a.conn, Robot: name, Log: log, Metrics: metrics})
	r.hub = tracks.NewHub(r.directory, tracks.Config{Log: log, Metrics: tracks.NewMetrics(metrics)})
	r.drivers = steer.NewDrivers(drive.GetDevice())
	r.steering = steer.New(r.directory, r.hub, steer.Config{
		Drivers: r.drivers, See: drive.GetSee(), Log: log, Metrics: metrics,
	})
	r.mjpeg = mjpeg.NewHub(r.directory, mjpeg.Config{Log: log, Metrics: metrics})
	r.voices = talk.New(a.conn, name, metrics)
	r.engine = a.transport.NewEngine(r.hub, r.voices, r.steering)
	definitions := dynamic.New(a.conn, dynamic.Config{Log: log, Metrics: metrics})
	caller := calls.New(definitions, name, r.directory, r.drivers, metrics)
	r.bridge = channels.New(a.conn, name, r.directory, definitions, caller,
		channels.Config{Log: log, Metrics: metrics})
	r.foxglove = foxglove.New(foxglove.Config{
		Bus: a.conn, Robot: name, Version: a.version, Epoch: a.epoch, Directory: r.directory, Caller: caller, Drive: drive,
		Log: log, Metrics: metrics,
	})
	c.Robot, c.Drive, c.Log, c.Metrics, c.Foxglove = name, drive, log, metrics, r.foxglove
	c.Authority = a.authority.Of(name)
	c.Caller, c.Channels, c.Pictures, c.MotionJPEG, c.Publishers = caller, r.bridge, r.hub, r.mjpeg, r.publishers
	c.Recorders = recorders{a.conn, name}
	c.RTCBot = r.rtcbot(a.config.Gateway.RTCBot, expected, log)
	r.server, err = server.New(r.engine, r.directory, c)
	return r, err
}

// close ends everything, from the outside in.
func (r *robot) close() {
	if r.server != nil {
		r.server.Close()
	}
	if r.engine != nil {
		_ = r.engine.Close() // nothing can be done about a failure
	}
	if r.steering != nil {
		r.steering.Close()
	}
	if r.publishers != nil {
		r.publishers.Close()
	}
	if r.hub != nil {
		r.hub.Close()
	}
	if r.mjpeg != nil {
		r.mjpeg.Close()
	}
	if r.bridge != nil {
		r.bridge.Close()
	}
	if r.foxglove != nil {
		r.foxglove.Close()
	}
	if r.directory != nil {
		r.directory.Close()
	}
}

// rtcbot makes what serves the clients of RTCBot.
func (r *robot) rtcbot(c config.RTCBot, expected []*devicev1.Device, log *slog.Logger) *rtcbot.Gateway {
	order := make([]string, len(expected))
	for i, d := range expected {
		order[i] = d.GetName()
	}
	return rtcbot.New(rtcbot.Config{
		Engine: r.engine, Bridge: r.bridge, Directory: r.directory, Voices: r.voices,
		Publisher: publisher{r.publishers},
		Devices:   rtcbot.Devices(c), Order: order, Log: log,
	})
}

// recorders are those of a robot. It implements [server.Recorders].
type recorders struct {
	conn  *bus.Conn
	robot string
}

// Recorder implements [server.Recorders].
func (r recorders) Recorder(device string) recorderv1.RecorderServiceClient {
	return recorderv1.NewRecorderServiceClient(r.conn.Client(bus.Address{Robot: r.robot, Device: device}))
}

// publisher publishes what clients of RTCBot send.
type publisher struct{ *publish.Publishers }

// Publish implements [rtcbot.Publisher].
func (p publisher) Publish(
	ctx context.Context, device string, c rtcbot.Client, peer string,
) (rtcbot.Publication, error) {
	who := &peerv1.Publisher{Name: peer, Program: text.Printable(c.Program), Address: c.Address, Via: "rtcbot"}
	n, err := p.Open(ctx, device, who, false)
	if err != nil {
		return nil, err
	}
	return n, nil
}
