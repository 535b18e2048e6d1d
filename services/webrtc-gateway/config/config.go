// Package config reads what the gateway is told: flags over environment over robot.yaml.
//
// The keys of the section `gateway:` of robot.yaml are flags and environment variables as well: `maxViewers` is
// --max-viewers and WALDO_MAX_VIEWERS. What is wrong is reported all at once, with its origin.
package config

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/drive"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/socket"
)

const (
	// DefaultHTTP is where the page is found if nothing else is said.
	DefaultHTTP = "127.0.0.1:8080"
	defaultICE  = "7100" // port; the host follows that of HTTP
	defaultNATS = "nats://127.0.0.1:4222"
)

// Gateway is the section `gateway:` of robot.yaml.
type Gateway struct {
	// HTTP is where the page, WHEP and the signalling are served, `host:port`.
	HTTP string `yaml:"http" help:"where to serve the page, host:port; without a token loopback only"`
	// ICE is the one UDP and TCP port for all media, `host:port`. Empty: port 7100 where HTTP is.
	ICE string `yaml:"ice" help:"one UDP and TCP port for all media, host:port; default port 7100 beside http"`
	// PublicIPs replace the machine's own addresses when it is behind a NAT that forwards the ICE port.
	PublicIPs []string `yaml:"publicIps" help:"addresses under which peers reach the ICE port, when a NAT is between"`
	// ICEServers are given to peers.
	ICEServers []ICEServer `yaml:"iceServers" help:"STUN and TURN servers for peers: {urls: [...], username: u, credential: c}"`
	// MaxViewers bounds the WebRTC connections, 1 to 10000.
	MaxViewers int `yaml:"maxViewers" help:"how many WebRTC connections there may be at once"`
	// UDPBatch says how packets that leave together are given to the system: auto, on or off, see [socket.Batching].
	UDPBatch string `yaml:"udpBatch" help:"have the system cut several packets out of one call: auto, on or off"`
	// Hosts are the names that the gateway answers to, as browsers or a proxy before it send them.
	Hosts []string `yaml:"hosts" help:"host names to answer to, beside localhost; with a token any if none is listed"`
	// Origins are those of foreign pages that may use the gateway.
	Origins []string `yaml:"origins" help:"foreign pages that may use the gateway, for example https://example.org"`
	// RTCBot says which devices clients of RTCBot get.
	RTCBot RTCBot `yaml:"rtcbot"`
	// Token must be presented by visitors; without one the gateway is for this machine only.
	Token string `yaml:"token" help:"secret that visitors must present, and this process on the bus"`
	// Rendezvous is the server through which people reach the robot from anywhere.
	Rendezvous Rendezvous `yaml:"rendezvous"`

	store *tokens.Store // nil: the one shared token is all there is
}

// storeAt returns the store in a file; nil if there is none.
func storeAt(path string) *tokens.Store {
	if path == "" {
		return nil
	}
	return tokens.Open(path)
}

// Authority returns what decides who gets in. All of them look at the same file of tokens.
func (g *Gateway) Authority() *tokens.Authority { return tokens.NewAuthority(g.Token, g.store) }

// RTCBot is what clients of RTCBot get: names of devices, by default the first that fit.
type RTCBot struct {
	Camera     string `yaml:"camera" help:"camera that clients of RTCBot see first; default: the first one"`
	Microphone string `yaml:"microphone" help:"device whose microphone they hear; default: the first one"`
	Speaker    string `yaml:"speaker" help:"device from whose speaker they are heard; default: the first one"`
	Publish    string `yaml:"publish" help:"device of the kind peer that takes what they send; default: the first one"`
}

// check sees to it that the devices are among those of the robot.
func (r *RTCBot) check(devices []robot.Device) error {
	var errs []error
	for _, d := range []struct{ key, name string }{
		{"camera", r.Camera}, {"microphone", r.Microphone}, {"speaker", r.Speaker}, {"publish", r.Publish},
	} {
		if d.name != "" {
			errs = append(errs, drive.CheckDevice("rtcbot."+d.key, d.name, devices))
		}
	}
	return errors.Join(errs...)
}

// ICEServer is one STUN or TURN server.
type ICEServer struct {
	URLs       []string `yaml:"urls"`
	Username   string   `yaml:"username"`
	Credential string   `yaml:"credential"`
}

// Defaults are in force where nothing else is said.
func Defaults() Gateway {
	return Gateway{HTTP: DefaultHTTP, MaxViewers: 200, UDPBatch: socket.Auto.String()}
}

// Validate reports all that is wrong.
func (g *Gateway) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, robot.BadField(key, format, args...)) }
	if _, _, err := g.Authority().Address(g.HTTP); err != nil {
		bad("http", "%v", err)
	}
	if g.ICE != "" {
		if _, _, err := g.Authority().Address(g.ICE); err != nil {
			bad("ice", "%v", err)
		}
	}
	for _, ip := range g.PublicIPs {
		if net.ParseIP(ip) == nil {
			bad("publicIps", "%q is not an IP address", ip)
		}
	}
	if g.MaxViewers < 1 || g.MaxViewers > 10_000 {
		bad("maxViewers", "%d is out of range: use 1 to 10000", g.MaxViewers)
	}
	if _, err := socket.ParseBatching(g.UDPBatch); err != nil {
		bad("udpBatch", "%v", err)
	}
	for _, s := range g.ICEServers {
		for _, u := range s.URLs {
			if !isICEURL(u) {
				bad("iceServers", "%q is not a STUN or TURN address: use stun:host:port, turn:host:port or turns:host:port", u)
			}
		}
		if len(s.URLs) == 0 {
			bad("iceServers", "an entry has no urls")
		}
	}
	for _, h := range g.Hosts {
		if !isHost(h) {
			bad("hosts", "%q is not the name of a host: use a name or an IP address, without scheme and port, for example "+
				"robot.example.org", h)
		}
	}
	if err := access.CheckToken(g.Token); err != nil {
		bad("token", "%v", err)
	}
	g.Rendezvous.check(g.Token, bad)
	for _, o := range g.Origins {
		if u, err := url.Parse(o); err != nil || u.Scheme == "" || u.Host == "" || strings.TrimSuffix(o, u.Path) != o {
			bad("origins", "%q is not an origin: use scheme and host, for example https://example.org", o)
		}
	}
	return errors.Join(errs...)
}

// isHost tells whether a text can be the host of an address.
func isHost(text string) bool {
	if net.ParseIP(text) != nil {
		return true
	}
	u, err := url.Parse("http://" + text)
	return err == nil && text != "" && u.Host == text && u.Port() == "" && !strings.ContainsAny(text, ":[]")
}

func isICEURL(text string) bool {
	scheme, rest, ok := strings.Cut(text, ":")
	switch scheme {
	case "stun", "stuns", "turn", "turns":
		return ok && rest != "" && !strings.ContainsAny(text, "<>\" \r\n")
	}
	return false
}

// HTTPAddress is where to listen for HTTP; narrowed tells that loopback was not said but meant.
func (g *Gateway) HTTPAddress() (address string, narrowed bool) {
	address, narrowed, _ = g.Authority().Address(g.HTTP) // checked by Validate
	return address, narrowed
}

// ICEAddress is where to listen for media.
func (g *Gateway) ICEAddress() string {
	configured := g.ICE
	if configured == "" {
		host, _, _ := net.SplitHostPort(g.HTTP) // checked by Validate
		configured = net.JoinHostPort(host, defaultICE)
	}
	address, _, _ := g.Authority().Address(configured) // checked by Validate, or beside an address that was
	return address
}

// Batching is how packets that leave together are given to the system.
func (g *Gateway) Batching() socket.Batching {
	batching, _ := socket.ParseBatching(g.UDPBatch) // checked by Validate
	return batching
}
