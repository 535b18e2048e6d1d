package robot

import (
	_ "embed"
	"errors"
	"fmt"
	"net"

	"github.com/waldo-robot/waldo/pkg/text"
)

// Builtin is the file name under which [Load] finds the robot that is built in: a rover that needs no hardware.
const Builtin = "builtin:demo"

// Replayed stands in place of the name of a file for the robot that `waldo replay` makes of a recording.
const Replayed = "recording:replay"

// maxFileBytes bounds robot.yaml. A robot of a hundred devices takes a hundredth of it.
const maxFileBytes = 1 << 20

// demo is the robot that runs when no file is given.
//
//go:embed demo.yaml
var demo []byte

// Robot is a robot.yaml that has been read and checked.
type Robot struct {
	// File is the name the robot was loaded by: what another process has to be given to load the same one.
	File string
	// Text is what the file held when it was read.
	Text []byte
	// Name is unique among the robots on one bus.
	Name string
	// Devices are in the order of the file; there is at least one.
	Devices []Device
	// Drive holds the keys that say how the robot is driven; empty if the file has none.
	Drive Section
	// Gateway holds the keys of the WebRTC gateway; empty if the file has none.
	Gateway Section
	// NATS says which bus the robot uses.
	NATS NATS
	// Fleet says to which hub the robot connects.
	Fleet Fleet
	// TLS says which certificate the robot has.
	TLS TLS
}

// Device is one entry under `devices:`.
type Device struct {
	// Name is unique in the robot.
	Name string
	// Kind is the sort of device; the program that runs it is called waldo-<kind>.
	Kind string
	// GRPC is where the device serves its gRPC API, `host:port`. Devices for which the file does not say get
	// 127.0.0.1:7101 and up, in the order of the file.
	GRPC string
	// May says what the device may do with others on the bus; nil if the file does not say.
	May *May
	// Section holds the keys that belong to the kind: all but `kind`, `grpc` and `may`.
	Section
}

// NATS says where the bus is. At most one of the two is set.
type NATS struct {
	// URL is the server to connect to, for example `nats://10.0.0.2:4222`. If it is set, no server is embedded.
	URL string `yaml:"url" help:"NATS server to connect to; none is embedded then"`
	// Listen is where the embedded server listens, `host:port`. Empty means 127.0.0.1:4222.
	Listen string `yaml:"listen" help:"where the embedded NATS server listens"`
}

// Client returns the URL by which the robot's processes reach the bus, and the key of the file that says so. Both are
// empty if the file does not say, or leaves the port of an embedded server open.
func (n NATS) Client() (url, key string) {
	if n.URL != "" {
		return n.URL, "nats.url"
	}
	host, port, err := net.SplitHostPort(n.Listen)
	if err != nil || port == "0" {
		return "", ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // an embedded server runs on this machine
	}
	return "nats://" + net.JoinHostPort(host, port), "nats.listen"
}

// Load reads and checks a robot.yaml, or the built-in robot if the name is [Builtin]. The error holds all that is
// wrong, one line each.
func Load(path string) (*Robot, error) {
	if path == Builtin {
		return Default()
	}
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("robot file: %w", err)
	}
	return Parse(path, data)
}

// Default returns the built-in robot.
func Default() (*Robot, error) {
	return Parse(Builtin, demo)
}

// Device returns the device of that name. The error names those there are.
func (r *Robot) Device(name string) (*Device, error) {
	names := make([]string, len(r.Devices))
	for i := range r.Devices {
		if r.Devices[i].Name == name {
			return &r.Devices[i], nil
		}
		names[i] = r.Devices[i].Name
	}
	return nil, fmt.Errorf("%s: robot %q has no device %q%s", r.File, r.Name, name, hint(name, names))
}

// CheckName returns an error that says what a name may be, unless the name may be given to a robot, a device or a kind.
func CheckName(name string) error {
	if name == "" {
		return errors.New("has no name: use lower-case letters, digits and hyphens, at most 63")
	}
	if !text.IsName(name) {
		return fmt.Errorf("%q is not a name: use lower-case letters, digits and hyphens, at most 63, "+
			"and no hyphen at the ends", shorten(name))
	}
	return nil
}

// CheckDeviceName is [CheckName] for devices, which may not take a name that Waldo uses beside theirs.
func CheckDeviceName(name string) error {
	switch name {
	case "msg", "gateway", "launcher":
		return fmt.Errorf("the name %q is taken by Waldo itself: use another", name)
	}
	return CheckName(name)
}
