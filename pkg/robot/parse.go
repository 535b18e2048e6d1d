package robot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waldo-robot/waldo/pkg/access"
)

const (
	// firstPort is the gRPC port of the first device that does not name one.
	firstPort = 7101
	// maxDevices keeps a mistake from claiming all ports of a machine.
	maxDevices = 256
)

// document is the outermost level of robot.yaml.
type document struct {
	Robot   yaml.Node `yaml:"robot"`
	Devices yaml.Node `yaml:"devices"`
	Drive   yaml.Node `yaml:"drive"`
	Gateway yaml.Node `yaml:"gateway"`
	NATS    yaml.Node `yaml:"nats"`
	Fleet   yaml.Node `yaml:"fleet"`
	TLS     yaml.Node `yaml:"tls"`
}

// Parse reads and checks the text of a robot.yaml. The name stands for the file in errors and in [Robot.File]. The
// error holds all that is wrong, one line each.
func Parse(name string, data []byte) (*Robot, error) {
	root, err := readYAML(name, data, robotFile)
	if err != nil {
		return nil, err
	}
	p := parser{decoder: decoder{file: name}, robot: &Robot{File: name, Text: data}}
	if p.plain(root, ""); len(p.errs) == 0 {
		p.document(root)
	}
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return p.robot, nil
}

// form says, for errors, what a file should be.
type form struct {
	file  string // what the file is called
	of    string // what it describes
	begin string // how it begins
}

var robotFile = form{"robot.yaml", "robot", "`robot: <name>` and `devices:`"}

// readYAML returns the mapping a file consists of.
func readYAML(name string, data []byte, f form) (*yaml.Node, error) {
	bad := func(problem string) error { return &Error{Origin: name, Problem: problem} }
	if len(data) > maxFileBytes {
		return nil, bad("is larger than 1 MiB, which no " + f.file + " is")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, bad("is empty: begin with " + f.begin)
	case err != nil:
		return nil, syntaxError(name, data, err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, bad("holds more than one document: remove what follows the second `---`")
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(name, data, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, bad("does not describe a " + f.of + ": begin with " + f.begin)
	}
	return doc.Content[0], nil
}

// parser builds a robot from YAML.
type parser struct {
	decoder
	robot *Robot
	grpc  map[string]string // which field claims a gRPC address, by address
	ports map[string]bool   // the ports of those addresses, whatever their host
}

func (p *parser) document(root *yaml.Node) {
	var doc document
	p.fields(root, reflect.ValueOf(&doc).Elem(), "")
	p.name(root, &doc.Robot)
	p.devices(root, &doc.Devices)
	p.robot.Drive = p.section(&doc.Drive, "drive")
	p.robot.Gateway = p.section(&doc.Gateway, "gateway")
	if !doc.NATS.IsZero() {
		p.nats(&doc.NATS)
	}
	if !doc.Fleet.IsZero() {
		p.fleet(&doc.Fleet)
	}
	if !doc.TLS.IsZero() {
		p.tls(&doc.TLS)
	}
}

func (p *parser) name(root, n *yaml.Node) {
	if n.IsZero() {
		p.fail(root, "robot", "is missing: add `robot: <name>`")
		return
	}
	if n.Kind != yaml.ScalarNode {
		p.fail(n, "robot", "%s where a name is wanted", describe(n))
		return
	}
	if err := CheckName(n.Value); err != nil {
		p.fail(n, "robot", "%s", err)
	}
	p.robot.Name = n.Value
}

func (p *parser) devices(root, n *yaml.Node) {
	switch {
	case n.IsZero():
		p.fail(root, "devices", "is missing: a robot has at least one device, like `front: {kind: camera, source: test}`")
		return
	case n.Kind != yaml.MappingNode || len(n.Content) == 0:
		p.fail(n, "devices", "a robot has at least one device, like `front: {kind: camera, source: test}`")
		return
	case len(n.Content) > 2*maxDevices:
		p.fail(n, "devices", "a robot has at most %d devices", maxDevices)
		return
	}
	p.grpc, p.ports = map[string]string{}, map[string]bool{}
	p.pairs(n, "devices", func(key, val *yaml.Node) {
		if err := CheckDeviceName(key.Value); err != nil {
			p.fail(key, "devices", "%s", err)
			return
		}
		p.robot.Devices = append(p.robot.Devices, p.device(key, val))
	})
	p.checkMay()
	p.assignPorts()
}

// device reads what all devices have; the other keys stay in the section.
func (p *parser) device(key, n *yaml.Node) Device {
	path := join("devices", key.Value)
	dev := Device{Name: key.Value}
	own := yaml.Node{Kind: yaml.MappingNode, Line: key.Line}
	common := own
	p.pairs(n, path, func(k, v *yaml.Node) {
		into := &common
		switch k.Value {
		case "kind":
			dev.Kind = p.kind(v, join(path, "kind"))
		case "grpc":
			dev.GRPC = p.address(v, join(path, "grpc"))
			p.claim(v, join(path, "grpc"), dev.GRPC)
		case "may":
			dev.May = p.may(v, join(path, "may"))
		default:
			into = &own
		}
		into.Content = append(into.Content, k, v)
	})
	if find(&common, "kind") == nil {
		p.fail(key, path, "has no kind: add for example `kind: camera`")
	}
	dev.Section = Section{file: p.file, path: path, node: &own, common: &common}
	return dev
}

func (p *parser) kind(n *yaml.Node, path string) string {
	if n.Kind != yaml.ScalarNode {
		p.fail(n, path, "%s where a name is wanted", describe(n))
	} else if err := CheckName(n.Value); err != nil {
		p.fail(n, path, "%s", err)
	}
	return n.Value
}

// section keeps a mapping for the program that knows its keys.
func (p *parser) section(n *yaml.Node, path string) Section {
	s := Section{file: p.file, path: path}
	if n.IsZero() {
		return s
	}
	p.pairs(n, path, func(_, _ *yaml.Node) {}) // for its errors
	s.node = n
	return s
}

// nats reads the section that is ours.
func (p *parser) nats(n *yaml.Node) {
	s := Section{file: p.file, path: "nats", node: n}
	if err := s.Decode(&p.robot.NATS); err != nil {
		p.errs = append(p.errs, err)
	}
}

// fleet reads the section that says which hub the robot connects to.
func (p *parser) fleet(n *yaml.Node) {
	s := Section{file: p.file, path: "fleet", node: n}
	if err := s.Decode(&p.robot.Fleet); err != nil {
		p.errs = append(p.errs, err)
	}
	if p.robot.Name == reservedRobot {
		p.fail(n, "fleet", "a robot of a fleet cannot be called %s: gateways speak to all robots under that name",
			reservedRobot)
	}
	if _, err := p.robot.Device(reservedDevice); err == nil {
		p.fail(n, "fleet", "no device of a robot of a fleet can be called %s: the robot as a whole speaks under that name",
			reservedDevice)
	}
	if p.robot.NATS.URL != "" {
		p.fail(n, "fleet", "has no effect together with nats.url, as the server there would have to connect to the hub: "+
			"leave nats.url out, or connect that server to the hub (docs/fleet.md)")
	}
}

// Validate checks the addresses, and that only one is given.
func (n *NATS) Validate() error {
	switch {
	case n.URL != "" && n.Listen != "":
		return BadField("listen", "has no meaning together with url: leave one of them out")
	case n.URL != "":
		if err := access.CheckBusURL(n.URL); err != nil {
			return BadField("url", "%w", err)
		}
	case n.Listen != "":
		return checkAddress("listen", n.Listen)
	}
	return nil
}

// checkAddress accepts host:port; port 0 means any free one.
func checkAddress(key, text string) error {
	host, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || strings.ContainsAny(host, " /@") {
		return BadField(key, "%q is not an address: write host:port, like 127.0.0.1:7101", shorten(text))
	}
	return nil
}

// address reads a host:port.
func (p *parser) address(n *yaml.Node, path string) string {
	if n.Kind != yaml.ScalarNode {
		p.fail(n, path, "%s where an address is wanted, like 127.0.0.1:7101", describe(n))
		return ""
	}
	var bad *FieldError
	if errors.As(checkAddress(path, n.Value), &bad) {
		p.fail(n, path, "%s", bad.Problem)
	}
	return n.Value
}

// claim notes that a device wants an address. Port 0 can be had by all.
func (p *parser) claim(n *yaml.Node, path, address string) {
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return
	}
	if other, taken := p.grpc[address]; taken {
		p.fail(n, path, "%s is already used by %s: choose another port", address, other)
		return
	}
	p.grpc[address], p.ports[port] = path, true
}

// assignPorts gives each device without an address of its own the next free port on loopback.
func (p *parser) assignPorts() {
	port := firstPort
	for i := range p.robot.Devices {
		d := &p.robot.Devices[i]
		for ; d.GRPC == ""; port++ {
			if !p.ports[strconv.Itoa(port)] {
				d.GRPC = fmt.Sprintf("127.0.0.1:%d", port)
			}
		}
	}
}
