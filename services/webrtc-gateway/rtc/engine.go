package rtc

import (
	"context"
	"crypto/rand"
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

	"github.com/waldo-robot/waldo/services/webrtc-gateway/codecs"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/talk"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Config adjusts an engine; the zero value works.
type Config struct {
	// Listen is the address for all of ICE, UDP and TCP. Empty: 127.0.0.1 on a free port.
	Listen string
	// PublicIPs are the addresses to tell to peers instead of the machine's own, when it is behind a NAT that forwards the port.
	PublicIPs []string
	// MaxPeers bounds the connections. 0: 200.
	MaxPeers int
	// Voices are where what peers say goes to; nil: they are not listened to.
	Voices *talk.Voices
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

const (
	defaultMaxPeers = 200
	// A peer that has not connected after this long is given up.
	connectTimeout = 15 * time.Second
	// A peer that was not heard of for the sum of these is given up.
	disconnectedAfter = 5 * time.Second
	failedAfter       = 7 * time.Second
	keepalive         = 2 * time.Second
	// tcpBuffer is what may wait for one peer that is reached over TCP: a second at 2 Mbit/s. Beyond it, packets are lost.
	tcpBuffer = 256 << 10
)

// Engine makes peers. It is safe for concurrent use.
type Engine struct {
	api      *webrtc.API
	config   webrtc.Configuration
	hub      *tracks.Hub
	voices   *talk.Voices // nil for none
	log      *slog.Logger
	maxPeers int
	metrics  *metrics
	udp      net.PacketConn
	tcp      net.Listener
	udpMux   ice.UDPMux
	tcpMux   ice.TCPMux

	life   string        // begins the names of peers: no two lives have the same
	serial atomic.Uint64 // of peers

	mu     sync.Mutex
	closed bool
	peers  map[*Peer]struct{}
	ends   sync.WaitGroup // of peers that end by themselves
}

// NewEngine opens the ports. A port in use is an error that wraps syscall.EADDRINUSE.
func NewEngine(hub *tracks.Hub, c Config) (*Engine, error) {
	e := &Engine{
		hub: hub, voices: c.Voices, log: c.Log, maxPeers: c.MaxPeers,
		metrics: newMetrics(c.Metrics), peers: make(map[*Peer]struct{}), life: rand.Text()[:8],
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.maxPeers == 0 {
		e.maxPeers = defaultMaxPeers
	}
	certificate, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("make the DTLS certificate: %w", err)
	}
	e.config = webrtc.Configuration{Certificates: []webrtc.Certificate{certificate}}
	if err := e.listen(c.Listen); err != nil {
		return nil, err
	}
	if e.api, err = e.newAPI(c); err != nil {
		return nil, errors.Join(err, e.closePorts())
	}
	return e, nil
}

// portTries is how often a free port is looked for: one that is free for UDP need not be for TCP.
const portTries = 20

// openPorts opens UDP and TCP on one port number.
func (e *Engine) openPorts(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("ice %s: %w", address, err)
	}
	for try := 1; ; try++ {
		if e.udp, err = net.ListenPacket("udp", address); err != nil {
			return fmt.Errorf("ice %s: %w", address, err)
		}
		chosen := strconv.Itoa(e.udp.LocalAddr().(*net.UDPAddr).Port)
		if e.tcp, err = net.Listen("tcp", net.JoinHostPort(host, chosen)); err == nil {
			return nil
		}
		if err = errors.Join(fmt.Errorf("ice %s: %w", address, err), e.udp.Close()); port != "0" || try == portTries {
			return err
		}
	}
}

// listen opens the ports, and shares them between all connections.
func (e *Engine) listen(address string) error {
	if address == "" {
		address = "127.0.0.1:0"
	}
	if err := e.openPorts(address); err != nil {
		return err
	}
	// Bursts of many viewers and many frames meet in one socket.
	if u, ok := e.udp.(*net.UDPConn); ok {
		_ = u.SetWriteBuffer(2 << 20) // the system may allow less
		_ = u.SetReadBuffer(1 << 20)
	}
	log := pionLog{e.log}.NewLogger("ice")
	e.udpMux = webrtc.NewICEUDPMux(log, e.udp)
	e.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: e.tcp, Logger: log, ReadBufferSize: 32,
		// Without a buffer of its own a connection that is not read would block the ICE agent, even its end.
		WriteBufferSize:      tcpBuffer,
		FirstStunBindTimeout: 5 * time.Second, AliveDurationForConnFromStun: connectTimeout,
	})
	return nil
}

// newAPI sets up what all connections share.
func (e *Engine) newAPI(c Config) (*webrtc.API, error) {
	var media webrtc.MediaEngine
	if err := codecs.Register(&media); err != nil {
		return nil, err
	}
	// Retransmission is the track's own work (package tracks), so all that is left are the reports: those of what is sent, and those of
	// what is lost of voices, by which their senders choose how much to protect them.
	var registry interceptor.Registry
	sent, err := report.NewSenderInterceptor()
	if err != nil {
		return nil, err
	}
	received, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, err
	}
	registry.Add(sent)
	registry.Add(received)
	s := webrtc.SettingEngine{LoggerFactory: pionLog{e.log}}
	if err := e.configureICE(&s, c); err != nil {
		return nil, err
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(&media), webrtc.WithInterceptorRegistry(&registry), webrtc.WithSettingEngine(s)), nil
}

func (e *Engine) configureICE(s *webrtc.SettingEngine, c Config) error {
	s.SetICEUDPMux(e.udpMux)
	s.SetICETCPMux(e.tcpMux)
	s.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	s.SetIncludeLoopbackCandidate(true) // for browsers on this machine, which may have no network at all
	s.DisableActiveTCP(true)
	// Names ending in .local need not be resolved: the far end's own checks tell its address.
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	for _, set := range []func(time.Duration){
		s.SetHostAcceptanceMinWait, s.SetSrflxAcceptanceMinWait, s.SetPrflxAcceptanceMinWait, s.SetRelayAcceptanceMinWait,
	} {
		set(0) // the far end chooses the path; waiting for a better one only costs the first picture
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

// newID names a peer.
func (e *Engine) newID() string {
	return fmt.Sprintf("peer-%s-%d", strings.ToLower(e.life), e.serial.Add(1))
}

// Address is where ICE listens.
func (e *Engine) Address() string { return e.udp.LocalAddr().String() }

// add counts a new peer in, or refuses it.
func (e *Engine) add(p *Peer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return status.Error(codes.Unavailable, "the gateway is stopping")
	case len(e.peers) >= e.maxPeers:
		e.metrics.refused.Inc()
		return status.Errorf(codes.ResourceExhausted,
			"there are %d viewers already, as many as gateway.maxViewers allows: try again when one has left, or raise it", e.maxPeers)
	}
	e.peers[p] = struct{}{}
	e.metrics.peers.Set(float64(len(e.peers)))
	return nil
}

func (e *Engine) remove(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.peers, p)
	e.metrics.peers.Set(float64(len(e.peers)))
}

// end ends a peer without waiting for it. Once the engine is closed there is nothing to do: it ends all peers.
func (e *Engine) end(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.ends.Go(p.Close)
	}
}

// Close ends all peers and closes the ports.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	peers := make([]*Peer, 0, len(e.peers))
	for p := range e.peers {
		peers = append(peers, p)
	}
	e.mu.Unlock()
	var ended sync.WaitGroup
	for _, p := range peers {
		ended.Go(p.Close)
	}
	ended.Wait()
	e.ends.Wait()
	return e.closePorts()
}

func (e *Engine) closePorts() error {
	var errs []error
	for _, c := range []io.Closer{e.udpMux, e.tcpMux, e.udp, e.tcp} {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
