package units

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/robot"
)

const (
	unitFolder  = "/etc/systemd/system"
	kindFolder  = "/usr/lib/waldo/kinds"
	programs    = "/usr/bin"
	target      = "waldo.target"
	gatewayUnit = "waldo-gateway.service"
	busUnit     = "waldo-bus.service"
	template    = "waldo-device@.service"

	kindFile  = "10-kind.conf"
	robotFile = "20-robot.conf"

	// firstFreePort is the first that needs no privilege to listen on.
	firstFreePort = 1024
)

// ofDevice is the unit of a device.
func ofDevice(name string) string { return "waldo-device@" + name + ".service" }

// nameOf is the device, "gateway" or "bus" that a unit runs.
func nameOf(unit string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(unit, "waldo-"), ".service")
	return strings.TrimPrefix(name, "device@")
}

// unit is what robot.yaml asks of a unit.
type unit struct {
	name     string // waldo-device@front.service
	kind     string // of the device; empty for the gateway and the bus
	exec     string // command line, if it is not that of the packages
	config   string // what, if it changes, makes a restart necessary
	abroad   bool   // a device that other machines call, or whose bus is elsewhere
	lowPorts bool   // it listens on a port below 1024
}

// unitsOf lists the units of a robot, in the order in which they start. Paths of programs are those below root.
func unitsOf(r *robot.Robot, plan *launch.Plan, root, waldo string) []unit {
	var list []unit
	if r.NATS.URL == "" || r.TLS.Issued() { // it runs the bus, and issues the certificate
		listen := cmp.Or(r.NATS.URL, r.NATS.Listen, launch.DefaultNATS)
		bus := unit{name: busUnit, config: fmt.Sprintf("%s %s %+v ", r.Name, listen, r.Fleet) + certificateOf(r),
			lowPorts: r.NATS.URL == "" && isLow(listen)}
		if waldo != path.Join(programs, "waldo") {
			bus.exec = waldo + " bus"
		}
		list = append(list, bus)
	}
	for _, p := range plan.Processes() {
		p.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(p.Path, root), "/")
		list = append(list, ofProcess(r, plan, p))
	}
	return list
}

func ofProcess(r *robot.Robot, plan *launch.Plan, p supervise.Process) unit {
	if p.Name == "gateway" {
		u := unit{name: gatewayUnit, config: r.Name + " " + p.Config + busOf(r) + " " + certificateOf(r),
			lowPorts: isLow(plan.HTTP()) || isLow(plan.ICE())}
		if p.Path != path.Join(programs, "waldo-gateway") {
			u.exec = p.Path
		}
		return u
	}
	u := unit{name: ofDevice(p.Name), kind: strings.TrimPrefix(path.Base(p.Path), "waldo-"),
		config: r.Name + " " + p.Config + busOf(r) + " " + certificateOf(r), abroad: !isLocal(busOf(r))}
	if d, err := r.Device(p.Name); err == nil {
		u.lowPorts, u.abroad = isLow(d.GRPC), u.abroad || !isLocal(d.GRPC)
	}
	if p.Path != path.Join(programs, "waldo-"+u.kind) {
		u.exec = p.Path + " --device %i"
	}
	return u
}

// certificateOf is what the file says of the robot's certificate.
func certificateOf(r *robot.Robot) string {
	t := &r.TLS
	return fmt.Sprintf("%t %q %q %q %+v", t.Auto, t.Names, t.Cert, t.Key, t.ACME)
}

// busOf is where the bus is: a host and a port, as far as robot.yaml says.
func busOf(r *robot.Robot) string {
	given, _ := r.NATS.Client()
	if u, err := url.Parse(given); err == nil && u.Host != "" {
		return u.Host
	}
	return launch.DefaultNATS
}

// isLocal tells whether an address is of this machine only.
func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func isLow(address string) bool {
	_, text, _ := net.SplitHostPort(address)
	port, err := strconv.Atoi(text)
	return err == nil && port > 0 && port < firstFreePort
}

// files are those that a unit needs, by their path: the content, or the target of a link after "→". file is the unit
// file of the packages.
func (u *unit) files(file string, kindKnown bool) map[string]string {
	folder := path.Join(unitFolder, u.name+".d")
	files := map[string]string{
		path.Join(folder, robotFile):                   u.render(kindKnown),
		path.Join(unitFolder, target+".wants", u.name): link + file,
	}
	if kindKnown {
		files[path.Join(folder, kindFile)] = link + path.Join(kindFolder, u.kind+".conf")
	}
	return files
}

// link begins the content that stands for a symbolic link.
const link = "→"

func (u *unit) templateName() string {
	if u.kind != "" {
		return template
	}
	return u.name
}

// render is the drop-in that follows from robot.yaml. The digest makes it differ when the configuration does.
func (u *unit) render(kindKnown bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by waldo install, which replaces it. Your own settings: systemctl edit %s", u.name)
	line("[Unit]")
	line("X-Waldo-Config=%x", sha256.Sum256([]byte(u.config)))
	line("\n[Service]")
	if u.exec == "" && u.kind != "" && !kindKnown {
		u.exec = path.Join(programs, "waldo-"+u.kind) + " --device %i"
	}
	if u.exec != "" {
		line("ExecStart=\nExecStart=%s", u.exec)
	}
	if u.abroad {
		line("# It speaks to other machines.\nIPAddressDeny=\nIPAddressAllow=")
	}
	if u.lowPorts {
		line("# It listens on a port below %d.\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n"+
			"AmbientCapabilities=CAP_NET_BIND_SERVICE", firstFreePort)
	}
	return b.String()
}
