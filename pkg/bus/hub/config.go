package hub

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// Names of accounts beside those of robots, which are lower-case.
const (
	// Cloud is the account of gateways that serve many robots.
	Cloud = "CLOUD"
	// System is the server's own.
	System = "SYS"
)

// Ask is the subject of a question of gateways to all robots; see package presence.
const Ask = bus.AskRobots

// reserved cannot be the name of a robot: its subjects would be those of gateways.
const reserved = bus.Fleet

// Default addresses.
const (
	DefaultListen = "127.0.0.1:4222"
	DefaultLeaf   = "127.0.0.1:7422"
)

// maxMembers bounds the robots, and the gateways, of a file.
const maxMembers = 20000

// Config is a hub.yaml.
type Config struct {
	// Hub is the name of the server, for people.
	Hub string `yaml:"hub" help:"name of the hub"`
	// Listen is where gateways, and the media of robots, connect. Default DefaultListen.
	Listen string `yaml:"listen" help:"where gateways and the uplinks of robots connect, host:port"`
	// Leaf is where robots connect for control and state. Default DefaultLeaf.
	Leaf string `yaml:"leaf" help:"where robots connect for control and state, host:port"`
	// TLS has the certificate. Without one, only this machine can connect, unless Plain.
	TLS Certificate `yaml:"tls" help:"certificate of the hub"`
	// Plain lets other machines connect without TLS.
	Plain bool `yaml:"plain" help:"other machines may connect without TLS, as through a VPN or a proxy that encrypts"`
	// Robots are those that may connect, by name.
	Robots map[string]Member `yaml:"robots" help:"robots that may connect, by name"`
	// Gateways are those that serve the robots, by a name for people.
	Gateways map[string]Member `yaml:"gateways" help:"gateways that may connect, by name"`
}

// Certificate names the files of a certificate.
type Certificate struct {
	// Cert is a PEM file with the certificate and those of its authorities.
	Cert string `yaml:"cert" path:"any" help:"PEM file of the certificate, with those of its authorities"`
	// Key is a PEM file with its key.
	Key string `yaml:"key" path:"any" help:"PEM file of its key"`
}

// Member is a robot or a gateway.
type Member struct {
	// Key is the public part of its key.
	Key string `yaml:"key" help:"public key, as waldo hub key prints it"`
}

// Load reads and checks a hub.yaml. The error holds all that is wrong, one line each.
func Load(path string) (*Config, error) {
	section, err := robot.LoadSection(path, "hub", beginning)
	return decode(section, err)
}

// Parse is [Load] for a text. Name stands for the file in errors.
func Parse(name string, text []byte) (*Config, error) {
	section, err := robot.ParseSection(name, text, "hub", beginning)
	return decode(section, err)
}

// beginning is how a hub.yaml begins.
const beginning = "`hub: <name>` and `robots:`"

func decode(s *robot.Section, err error) (*Config, error) {
	if err != nil {
		return nil, err
	}
	c := &Config{}
	if err := s.Decode(c); err != nil {
		return nil, err
	}
	return c, nil
}

// Validate checks everything but the files and addresses, which [Start] tries.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, robot.BadField(key, format, args...)) }
	if err := robot.CheckName(c.Hub); err != nil {
		bad("hub", "%v", err)
	}
	for key, address := range map[string]string{"listen": c.listen(), "leaf": c.leaf()} {
		errs = append(errs, c.checkAddress(key, address))
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		bad("tls", "has only one of cert and key: give both")
	}
	errs = append(errs, checkMembers("robots", c.Robots), checkMembers("gateways", c.Gateways), c.checkKeys())
	if _, taken := c.Robots[reserved]; taken {
		bad("robots."+reserved, "the name is taken by Waldo itself: use another")
	}
	return errors.Join(errs...)
}

func (c *Config) listen() string { return cmp.Or(c.Listen, DefaultListen) }
func (c *Config) leaf() string   { return cmp.Or(c.Leaf, DefaultLeaf) }

func (c *Config) checkAddress(key, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return robot.BadField(key, "%.64q is not an address: write host:port, like 0.0.0.0:7422", address)
	}
	if c.TLS.Cert == "" && !c.Plain && !isLoopback(host) {
		return robot.BadField(key,
			"%q can be reached from other machines, and what passes there would not be encrypted: add "+
				"`tls: {cert: …, key: …}`, or `plain: true` if a VPN or a proxy encrypts it", address)
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func checkMembers(key string, members map[string]Member) error {
	if len(members) > maxMembers {
		return robot.BadField(key, "has %d entries: one hub takes at most %d", len(members), maxMembers)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := robot.CheckName(name); err != nil {
			errs = append(errs, robot.BadField(key, "%v", err))
		}
		switch k := members[name].Key; {
		case k == "":
			errs = append(errs, robot.BadField(key+"."+name, "has no key: `waldo hub key FILE` makes one"))
		case !keys.IsPublic(k):
			errs = append(errs, robot.BadField(key+"."+name+".key", "%s", notPublic(k)))
		}
	}
	return errors.Join(errs...)
}

// notPublic does not repeat what may be a secret.
func notPublic(key string) string {
	if _, err := keys.Parse([]byte(key)); err == nil {
		return "is a secret key: give the public one, which begins with U, and keep this one at the robot"
	}
	return "is not a public key: `waldo hub key FILE` prints it, it begins with U"
}

// checkKeys has every key belong to one member.
func (c *Config) checkKeys() error {
	owner := map[string]string{}
	var errs []error
	for _, group := range []struct {
		key     string
		members map[string]Member
	}{{"robots", c.Robots}, {"gateways", c.Gateways}} {
		for _, name := range slices.Sorted(maps.Keys(group.members)) {
			at, k := group.key+"."+name, group.members[name].Key
			if k != "" && owner[k] != "" {
				errs = append(errs, robot.BadField(at+".key", "is the key of %s too: make one for each", owner[k]))
			}
			owner[k] = at
		}
	}
	return errors.Join(errs...)
}

// NewKey writes a new secret key to a file that only its owner can read, and returns the public key. It does not
// replace a file.
func NewKey(path string) (public string, err error) {
	seed, err := keys.New()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, "%s\n", seed.Text())
	return seed.Public(), errors.Join(err, f.Close())
}
