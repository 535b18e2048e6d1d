package server

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/outside"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/viewing"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	// bodyTimeout bounds how long the body of a request may take to come.
	bodyTimeout = 5 * time.Second
	// maxSessions bounds the signalling WebSockets.
	maxSessions = 1000
)

// Directory knows the robot's devices.
type Directory interface {
	// List returns all known devices, and a channel that is closed when the list is out of date.
	List() (*signalingv1.DeviceList, <-chan struct{})
	// Get returns a known device, nil for others. Heard is false for one that is only expected. Changed is closed when
	// anything changes about any device.
	Get(device string) (status *signalingv1.DeviceStatus, heard bool, changed <-chan struct{})
	// Check returns nil for a known device, else an error with codes.NotFound.
	Check(device string) error
	// CheckAccepts returns nil for a device that accepts a stream, or may do so, else an error with
	// codes.FailedPrecondition.
	CheckAccepts(device, stream string) error
	// CheckHas returns nil for a device that produces one of the streams, or may do so, else an error with
	// codes.FailedPrecondition.
	CheckHas(device string, streams ...string) error
	// Snapshot asks a camera for one JPEG.
	Snapshot(ctx context.Context, device string, width, height int32) (*mediav1.VideoFrame, error)
}

// Caller calls the devices for peers.
type Caller interface {
	// Call calls a method of a device and returns the result.
	Call(ctx context.Context, call *calls.Call) *calls.Result
}

// Channels serves data channels.
type Channels interface {
	// Open serves a channel that a visitor has opened. It must not block, as that of [rtc.Channels].
	Open(c *rtc.Channel, of *visitors.Visitor)
}

// Config configures a server. Robot is required.
type Config struct {
	Robot   string
	Version string
	Epoch   int64 // this life of the gateway
	// Instance is repeated by /healthz, see [vital.Instance]; empty: no launcher has to recognize the gateway.
	Instance string
	// ICEServers returns the STUN and TURN servers for peers, and a channel that is closed when there are others. Nil:
	// none.
	ICEServers outside.Servers
	// Key is the robot's, for peers that come through a rendezvous server; nil: none do.
	Key *identity.Key
	// GuestToken is what programs present that come that way; empty: they are refused.
	GuestToken string
	// Token is the shared token that visitors may present; empty: there is none.
	Token string
	// Authority knows what tokens give; nil: the one shared token is all there is.
	Authority *tokens.Authority
	// Logins recognize browsers that have signed in; nil: the server has its own.
	Logins *Logins
	// Audit keeps who came and what was refused; nil: nothing does.
	Audit *audit.Log
	// Hosts are the names that the gateway answers to, besides those of loopback. Empty: any name with a token, no
	// other without.
	Hosts []string
	// Origins of foreign pages that may use the gateway, for example https://example.org.
	Origins []string
	// BusConnected reports whether the bus is reachable; nil: always.
	BusConnected func() bool
	// Rendezvous reports whether the robot is connected to its rendezvous server; nil: it has none.
	Rendezvous func() bool
	// Drive describes how the robot is driven; nil: not configured.
	Drive *signalingv1.Drive
	// Caller calls the devices for peers; nil: calls are refused.
	Caller Caller
	// Channels serves the data channels of peers; nil: they are refused.
	Channels Channels
	// RTCBot serves the clients of RTCBot; nil: they are not served.
	RTCBot *rtcbot.Gateway
	// Publishers takes what peers send to devices; nil: nothing is accepted.
	Publishers Publishers
	// Pictures is the source of video for WebSockets; nil: none is sent.
	Pictures Pictures
	// MotionJPEG is the source of JPEG pictures; nil: none are sent.
	MotionJPEG MotionJPEG
	// Recorders are those of the robot; nil: recordings are not served.
	Recorders Recorders
	// Foxglove serves the clients of Foxglove's protocol; nil: they are refused.
	Foxglove Foxglove
	// Page holds the static files, index.html among them; nil: none.
	Page fs.FS
	// Log may be nil.
	Log *slog.Logger
	// Metrics is what /metrics shows; nil: an empty one.
	Metrics *prometheus.Registry
}

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	engine    *rtc.Engine
	directory Directory
	config    Config
	log       *slog.Logger
	handler   http.Handler
	guard     *guard
	meters    *viewing.Meters
	// identities is nil if the robot is not reached through a rendezvous server.
	identities *identities

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	owned  sync.WaitGroup

	tickets  tickets
	unpassed sync.Once // logs that a proxy does not pass WebSockets through

	mu              sync.Mutex
	closed          bool
	signalSockets   sockets
	pictureSockets  sockets
	mjpegResponses  sockets
	downloads       sockets
	topicSockets    sockets
	foxgloveSockets sockets
	dialInSockets   sockets
	dialIns         dialIns
	resources       map[string]*resource   // by the random part of their address
	connections     map[string]*connection // by their secret
}

// New returns a server for the connections of engine and the devices of directory.
func New(engine *rtc.Engine, directory Directory, c Config) (*Server, error) {
	s := &Server{engine: engine, directory: directory, config: c, log: c.Log, resources: make(map[string]*resource),
		connections: make(map[string]*connection), tickets: newTickets()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.config.Log = s.log
	if c.Authority == nil {
		s.config.Authority = tokens.NewAuthority(c.Token, nil)
	}
	if c.Metrics == nil {
		s.config.Metrics = prometheus.NewRegistry()
	}
	if c.ICEServers == nil {
		s.config.ICEServers = func() ([]*signalingv1.IceServer, <-chan struct{}) { return nil, nil }
	}
	if c.BusConnected == nil {
		s.config.BusConnected = func() bool { return true }
	}
	sessions := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "waldo_gateway_signalling_sessions", Help: "Open signalling WebSockets."})
	s.config.Metrics.MustRegister(sessions)
	s.meters = viewing.NewMeters(s.config.Metrics)
	s.signalSockets = sockets{most: maxSessions, gauge: sessions,
		full: "signalling sessions are open already: try again when one has ended"}
	s.pictureSockets = sockets{most: maxPictures,
		full: "videos are being sent over WebSockets already: try again when one has ended, or use WebRTC"}
	s.mjpegResponses = sockets{most: maxMJPEG,
		full: "responses with Motion JPEG are being sent already: try again when one has ended, or use WHEP"}
	s.downloads = sockets{most: maxDownloads, full: "files are being sent already: try again when one has ended"}
	s.topicSockets = sockets{most: maxTopics, full: "WebSockets are open on topics already: try again when one has ended"}
	s.foxgloveSockets = sockets{most: maxFoxglove,
		full: "clients of Foxglove's protocol are connected already: try again " +
			"when one has left"}
	s.dialInSockets = sockets{most: maxDialIns, full: "robots have dialed in already"}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	page, err := newPage(c.Page, robotPages)
	if err != nil {
		return nil, err
	}
	if s.identities, err = newIdentities(&s.config); err != nil {
		return nil, err
	}
	routes := s.routes(page)
	s.guard, err = newGuard(s.ctx, s.config, s.tickets, func(r *http.Request) route {
		_, pattern := routes.Handler(r)
		to := route{audience: audienceOf(pattern, page.public(r.URL.Path))}
		to.need, to.device = needed(pattern, r)
		if pattern == foxglovePattern {
			to.pass = foxglovePass(c.Robot)
		}
		return to
	})
	if err != nil {
		return nil, err
	}
	s.handler = s.guard.wrap(s.guard.fromSite(routes))
	s.own(s.measure)
	s.own(func() { s.guard.visitors.Run(s.ctx) })
	return s, nil
}

const (
	pagePattern    = "GET /"
	signOutPattern = "POST /logout"
)

func (s *Server) routes(page page) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /whep/{device}", s.whepPost)
	mux.HandleFunc("OPTIONS /whep/{device}", s.whepOptions)
	mux.HandleFunc("GET /whep/{device}", notAllowed("POST, OPTIONS"))
	mux.HandleFunc("GET /whep/{device}/{id}", notAllowed("PATCH, DELETE"))
	mux.HandleFunc("PATCH /whep/{device}/{id}", s.patchResource)
	mux.HandleFunc("DELETE /whep/{device}/{id}", s.deleteResource)
	if s.config.RTCBot != nil {
		mux.HandleFunc("POST /connect", s.connect)
		mux.HandleFunc("GET /connect", notAllowed("POST"))
		mux.HandleFunc("GET /ws/{topic}", s.topic)
		mux.HandleFunc("GET /ws", s.dialInRobot)
		mux.HandleFunc("POST /ws", s.dialInOffer)
	}
	mux.HandleFunc("POST /whip/{device}", s.whipPost)
	mux.HandleFunc("OPTIONS /whip/{device}", s.whepOptions)
	mux.HandleFunc("GET /whip/{device}", notAllowed("POST, OPTIONS"))
	mux.HandleFunc("GET /whip/{device}/{id}", notAllowed("PATCH, DELETE"))
	mux.HandleFunc("PATCH /whip/{device}/{id}", s.patchResource)
	mux.HandleFunc("DELETE /whip/{device}/{id}", s.deleteResource)
	mux.HandleFunc("GET /signal", s.signal)
	mux.HandleFunc("POST /signal", s.whyNot)
	mux.HandleFunc("GET /picture/{device}", s.picture)
	mux.HandleFunc("GET /foxglove", s.foxglove)
	mux.HandleFunc("GET /mjpeg/{device}", s.mjpeg)
	mux.HandleFunc("GET /snapshot/{file}", s.snapshot)
	mux.HandleFunc("GET /devices", s.devices)
	mux.HandleFunc("GET /recordings/file/{device}/{name}", s.recordingFile)
	mux.HandleFunc("GET /recordings/segment/{device}/{recording}/{of}/{stream}", s.recordingPiece)
	mux.HandleFunc(signOutPattern, func(w http.ResponseWriter, r *http.Request) { s.guard.signOut(w, r) })
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.config.Metrics, promhttp.HandlerOpts{}))
	if s.config.Page != nil {
		mux.Handle(pagePattern, page)
	}
	return mux
}

// Handler answers requests.
func (s *Server) Handler() http.Handler { return s.handler }

// own starts a goroutine that Close waits for; false if the server is closed.
func (s *Server) own(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.owned.Go(f)
	return true
}

// Close ends all sessions.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.owned.Wait()
}
