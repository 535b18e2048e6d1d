package launch

import (
	"cmp"
	"errors"
	"net"
	"os"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/robot"
)

const (
	// DefaultHTTP is where the gateway serves the page by default.
	DefaultHTTP = "127.0.0.1:8080"
	// DefaultNATS is where the embedded NATS server listens by default.
	DefaultNATS = "127.0.0.1:4222"

	defaultICEPort = "7100"
)

// Config tells how to run a robot. The zero value runs it as described in its file.
type Config struct {
	// HTTP is where the gateway serves the page, host:port. Default: from the file, else DefaultHTTP.
	HTTP string
	// NATS is the URL of a server to use instead of an embedded one. Default: from the file, else one is
	// embedded.
	NATS string
	// Token is what every client of the bus, of a device and of the gateway must present.
	Token string
	// NoGateway leaves the gateway out: it runs elsewhere.
	NoGateway bool
	// Root is the folder of another system whose programs check the file; empty for this one.
	Root string
	// Where says in errors where programs are looked for, "in /usr/bin". Default: beside waldo or in PATH.
	Where string
}

// where says where programs are looked for.
func (c *Config) where() string { return cmp.Or(c.Where, besideOrPATH) }

// Plan is a robot that is ready to run.
type Plan struct {
	robot     *robot.Robot
	config    Config
	gateway   robot.Section // with Config.HTTP in it
	programs  Programs
	processes []supervise.Process
	warnings  []string
}

// New finds the robot's programs. The error names each device without one.
func New(r *robot.Robot, programs Programs, config Config) (*Plan, error) {
	p := &Plan{robot: r, config: config, gateway: r.Gateway, programs: programs}
	var errs []error
	for i := range r.Devices {
		d := &r.Devices[i]
		path, err := programs.find(d.Kind, config.where())
		if err != nil {
			errs = append(errs, d.Locate(robot.BadField("kind", "%v", err)))
			continue
		}
		// The device reads its gRPC address and everything else from the file. An address in the
		// environment can be right for one process at most, so no process gets it.
		p.add(p.deviceToken(d), supervise.Process{
			Name: d.Name, Path: path, Args: []string{"--robot-file", r.File, "--device", d.Name},
			Env:       []string{"WALDO_GRPC=", "WALDO_METRICS=", "WALDO_HTTP="},
			Config:    d.GRPC + " " + d.Meaning() + driven(r, d),
			HandsOver: true,
		})
	}
	if !config.NoGateway {
		if config.HTTP != "" {
			p.gateway.Override("http", config.HTTP, "--http")
		}
		path, err := programs.find(gatewayKind, config.where())
		if err != nil {
			return p, errors.Join(append(errs, err)...)
		}
		p.add(p.config.Token, supervise.Process{
			Name: gatewayKind, Path: path, Args: []string{"--robot-file", r.File},
			Env:    []string{"WALDO_METRICS=", "WALDO_HTTP=" + config.HTTP},
			Config: p.gatewayConfig(),
		})
	}
	return p, errors.Join(errs...)
}

// add completes a process. It is handed the file as it was read, so that a half-edited file cannot harm
// a process that restarts.
func (p *Plan) add(token string, process supervise.Process) {
	process.Env = append(process.Env, "WALDO_TOKEN="+token, "WALDO_TOKEN_FILE=", noSeedFile, robot.HandedFD+"=3")
	process.Input = p.robot.Text
	p.processes = append(p.processes, process)
}

// noSeedFile keeps what an operator has set for one process from all others.
const noSeedFile = "WALDO_BUS_SEED_FILE="

// deviceToken is what a device gets to check tokens by. One that has a key of its own on the bus needs no more than the
// verifier; with the token it could do there whatever it likes.
func (p *Plan) deviceToken(d *robot.Device) string {
	if p.natsURL() == "" && permissions.Confined(d) {
		return access.Verifier(p.config.Token)
	}
	return p.config.Token
}

// driven is the part of the section `drive:` that the process of the device it names reads: what its driver must see.
func driven(r *robot.Robot, d *robot.Device) string {
	if r.Drive.Text("device") != d.Name || !r.Drive.Has("see") && !d.Has("control.see") && !d.Has("ptz.see") {
		return ""
	}
	return " " + r.Drive.Meaning("see", "blind", "limit", "keys")
}

// gatewayConfig is the part of the file that the gateway reads: its sections, and the list of devices.
func (p *Plan) gatewayConfig() string {
	config := p.robot.Gateway.Meaning() + " " + p.robot.Drive.Meaning()
	for _, d := range p.robot.Devices {
		config += " " + d.Name + "/" + d.Kind
	}
	return config
}

// device returns the device of that name, or nil if there is none: the gateway is not a device.
func (p *Plan) device(name string) *robot.Device {
	for i := range p.robot.Devices {
		if p.robot.Devices[i].Name == name {
			return &p.robot.Devices[i]
		}
	}
	return nil
}

// Warnings are what Check found in the file that works, but should be changed.
func (p *Plan) Warnings() []string { return p.warnings }

// Processes are those that run, in order, without what is particular to a launcher.
func (p *Plan) Processes() []supervise.Process { return p.processes }

// Robot is what runs.
func (p *Plan) Robot() *robot.Robot { return p.robot }

// HTTP is where the gateway serves the page.
func (p *Plan) HTTP() string { return p.http() }

// ICE is where the gateway sends and receives media.
func (p *Plan) ICE() string { return p.ice() }

// names lists the processes in order.
func (p *Plan) names() []string {
	names := make([]string, len(p.processes))
	for i, process := range p.processes {
		names[i] = process.Name
	}
	return names
}

// natsURL is the server that the robot uses; empty if it embeds one.
func (p *Plan) natsURL() string { return cmp.Or(p.config.NATS, p.robot.NATS.URL) }

// natsListen is where the embedded server listens.
func (p *Plan) natsListen() string { return cmp.Or(p.robot.NATS.Listen, DefaultNATS) }

// http is where the gateway serves the page.
func (p *Plan) http() string { return cmp.Or(p.gateway.Text("http"), DefaultHTTP) }

// ice is where the gateway sends and receives media: beside the page by default.
func (p *Plan) ice() string {
	if ice := p.gateway.Text("ice"); ice != "" {
		return ice
	}
	host, _, err := net.SplitHostPort(p.http())
	if err != nil {
		return p.http() // not an address; the gateway reports it
	}
	return net.JoinHostPort(host, defaultICEPort)
}

// authority decides, as that of each process, where others may be let in.
func (p *Plan) authority() *tokens.Authority {
	return tokens.NewAuthority(p.token(), storeOf(os.Getenv))
}

// storeOf returns the store of tokens of this machine; nil if it has no folder for state.
func storeOf(environ func(string) string) *tokens.Store {
	path, err := tokens.Path(environ)
	if err != nil {
		return nil
	}
	return tokens.Open(path)
}

// token protects the gateway.
func (p *Plan) token() string { return cmp.Or(p.config.Token, p.gateway.Text("token")) }
