package rtc

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/pionlog"
	"github.com/waldo-robot/waldo/pkg/pionnet"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/socket"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/outside"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/steer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
)

// Config adjusts a transport and its engine; the zero value works.
type Config struct {
	// Listen is the address for all of ICE, UDP and TCP. Empty: 127.0.0.1 with a free port.
	Listen string
	// PublicIPs are the addresses announced to peers instead of the machine's own, for a gateway behind a NAT that
	// forwards the port.
	PublicIPs []string
	// ICEServers returns the STUN and TURN servers by which the gateway itself is reached from elsewhere, and a channel
	// that is closed when there are others; nil: none. With PublicIPs none are used.
	ICEServers outside.Servers
	// TLS is for TURN servers that are reached by it; nil: the system's defaults.
	TLS *tls.Config
	// Batching says how packets of a picture are given to the system.
	Batching socket.Batching
	// MaxPeers limits the number of connections. 0: 200.
	MaxPeers int
	// Voices receives what peers say; nil: the gateway accepts no audio.
	Voices *talk.Voices
	// Steering steers what the cameras encode, and what each peer gets of it; nil: nobody does.
	Steering *steer.Steering
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

const (
	defaultMaxPeers = 200
	// A peer that has not connected after this time is closed.
	connectTimeout = 15 * time.Second
	// A peer that has been silent for the sum of these is closed.
	disconnectedAfter = 5 * time.Second
	failedAfter       = 7 * time.Second
	keepalive         = 2 * time.Second
	// tcpBuffer is how many bytes may wait for one peer that is reached over TCP: a second at 2 Mbit/s. Beyond it,
	// packets are lost.
	tcpBuffer = 256 << 10
)

// Transport is what connections share, also those of several engines: one UDP and one TCP port, a certificate, and how
// many there may be.
type Transport struct {
	media    webrtc.MediaEngine
	registry interceptor.Registry
	settings webrtc.SettingEngine
	config   webrtc.Configuration
	log      *slog.Logger
	maxPeers int
	metrics  *metrics
	udp      *socket.Packets
	tcp      net.Listener
	ports    *ports
	outside  *outside.Outside // nil: nobody is asked
	tcpMux   ice.TCPMux

	life   string        // prefix of peer ids, different in every life
	serial atomic.Uint64 // of the last peer

	mu    sync.Mutex
	peers int
}

// NewTransport opens the ports. A port in use is an error that wraps syscall.EADDRINUSE. Of c, the parts that are each
// engine's own do not count.
func NewTransport(c Config) (*Transport, error) {
	t := &Transport{log: c.Log, maxPeers: c.MaxPeers, metrics: newMetrics(c.Metrics), life: rand.Text()[:8]}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.maxPeers == 0 {
		t.maxPeers = defaultMaxPeers
	}
	certificate, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("make the DTLS certificate: %w", err)
	}
	t.config = webrtc.Configuration{Certificates: []webrtc.Certificate{certificate}}
	if err := t.listen(c.Listen, c.Batching); err != nil {
		return nil, err
	}
	if err = t.configure(c); err != nil {
		return nil, errors.Join(err, t.closePorts())
	}
	if c.ICEServers != nil && len(c.PublicIPs) == 0 {
		t.outside = outside.New(outside.Config{Servers: c.ICEServers, Port: t.ports, TLS: c.TLS, Log: t.log})
	}
	return t, nil
}

// portTries is how many free ports are tried: one that is free for UDP may be taken for TCP.
const portTries = 20

// openPorts opens UDP and TCP on the same port.
func (t *Transport) openPorts(address string, batching socket.Batching) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("ice %s: %w", address, err)
	}
	for try := 1; ; try++ {
		if t.udp, err = listenUDP(address, socket.Options{Batching: batching, Failed: t.metrics.unsent}); err != nil {
			return fmt.Errorf("ice %s: %w", address, err)
		}
		chosen := strconv.Itoa(t.udp.LocalAddr().(*net.UDPAddr).Port)
		if t.tcp, err = net.Listen("tcp", net.JoinHostPort(host, chosen)); err == nil {
			return nil
		}
		if err = errors.Join(fmt.Errorf("ice %s: %w", address, err), t.udp.Close()); port != "0" || try == portTries {
			return err
		}
	}
}

func listenUDP(address string, o socket.Options) (*socket.Packets, error) {
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	return socket.NewPackets(c.(*net.UDPConn), o)
}

// listen opens the ports that all connections share.
func (t *Transport) listen(address string, batching socket.Batching) error {
	if address == "" {
		address = "127.0.0.1:0"
	}
	if err := t.openPorts(address, batching); err != nil {
		return err
	}
	if err := t.udp.Uncut(); err != nil {
		t.log.Info("the packets of a picture are not cut by the system, which takes more CPU for each viewer", "because", err)
	}
	// The bursts of all viewers' frames go through one socket.
	_ = t.udp.SetWriteBuffer(2 << 20) // the system may allow less
	_ = t.udp.SetReadBuffer(1 << 20)
	log := pionlog.New(t.log).NewLogger("ice")
	t.ports = newPorts(t.udp, log)
	t.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: t.tcp, Logger: log, ReadBufferSize: 32,
		// Without its own buffer, a connection that nobody reads would block the ICE agent, even its shutdown.
		WriteBufferSize:      tcpBuffer,
		FirstStunBindTimeout: 5 * time.Second, AliveDurationForConnFromStun: connectTimeout,
	})
	return nil
}

// configure sets up what all connections share.
func (t *Transport) configure(c Config) error {
	if err := codecs.Register(&t.media); err != nil {
		return err
	}
	// Tracks retransmit by themselves (package tracks). The interceptors only send the reports: sender reports, and
	// receiver reports on voices, from which their senders choose how much protection to add.
	sent, err := report.NewSenderInterceptor()
	if err != nil {
		return err
	}
	received, err := report.NewReceiverInterceptor()
	if err != nil {
		return err
	}
	t.registry.Add(sent)
	t.registry.Add(received)
	t.settings = webrtc.SettingEngine{LoggerFactory: pionlog.New(t.log)}
	return errors.Join(secure(&t.settings), t.configureICE(&t.settings, c))
}

// newAPI returns what makes one connection.
func (t *Transport) newAPI(f *follower) *webrtc.API {
	s := t.settings
	s.SetICEBindingRequestHandler(f.checked)
	return webrtc.NewAPI(webrtc.WithMediaEngine(&t.media), webrtc.WithInterceptorRegistry(&t.registry),
		webrtc.WithSettingEngine(s))
}

func (t *Transport) configureICE(s *webrtc.SettingEngine, c Config) error {
	s.SetNet(pionnet.New())
	s.SetICEUDPMux(t.ports)
	s.SetICETCPMux(t.tcpMux)
	s.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	s.SetIncludeLoopbackCandidate(true) // for browsers on this machine, which may be without a network
	s.DisableActiveTCP(true)
	// Names ending in .local need not be resolved: the far end's own checks reveal its address.
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	for _, set := range []func(time.Duration){
		s.SetHostAcceptanceMinWait, s.SetSrflxAcceptanceMinWait, s.SetPrflxAcceptanceMinWait, s.SetRelayAcceptanceMinWait,
	} {
		set(0) // the far end chooses the path; waiting for a better one only delays the first picture
	}
	s.SetICETimeouts(disconnectedAfter, failedAfter, keepalive)
	s.SetSCTPMaxMessageSize(MaxMessage)
	s.SetDTLSRetransmissionInterval(100 * time.Millisecond)
	s.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), connectTimeout)
	})
	if len(c.PublicIPs) > 0 {
		return s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
			External: c.PublicIPs, AsCandidateType: webrtc.ICECandidateTypeHost,
		})
	}
	return nil
}

// newID returns the id of a new peer.
func (t *Transport) newID() string {
	return fmt.Sprintf("peer-%s-%d", strings.ToLower(t.life), t.serial.Add(1))
}

// Address is where ICE listens.
func (t *Transport) Address() string { return t.udp.LocalAddr().String() }

// enter counts one more peer, or refuses it.
func (t *Transport) enter() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.peers >= t.maxPeers {
		t.metrics.refused.Inc()
		return status.Errorf(codes.ResourceExhausted,
			"there are as many viewers as gateway.maxViewers allows, %d: try again when one has left, or raise it", t.maxPeers)
	}
	t.peers++
	t.metrics.peers.Set(float64(t.peers))
	return nil
}

func (t *Transport) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peers--
	t.metrics.peers.Set(float64(t.peers))
}

// Close closes the ports. All engines must be closed.
func (t *Transport) Close() error {
	if t.outside != nil {
		t.outside.Close()
	}
	return t.closePorts()
}

func (t *Transport) closePorts() error {
	var errs []error
	for _, c := range []io.Closer{t.ports, t.tcpMux, t.udp, t.tcp} {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
