package config

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"slices"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/pkg/drive"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/settings"
	"github.com/waldo-robot/waldo/pkg/state"
)

// Settings are what the gateway is told beside its section of robot.yaml.
type Settings struct {
	RobotFile string `yaml:"robot-file" help:"robot.yaml that describes the robot; without it the devices are found on the bus"`
	Robot     string `yaml:"robot" help:"name of the robot; default: that of the robot file"`
	Fleet     bool   `yaml:"fleet" help:"serve all robots at a hub, of which --nats is the address, each at /r/<robot>/"`
	NATS      string `yaml:"nats" help:"URL of the bus"`
	TokenFile string `yaml:"token-file" help:"file with the token; default: the unit's credential \"token\""`
	TLSCert   string `yaml:"tls-cert" help:"PEM file of the page's certificate; default: as tls: in the robot file says"`
	TLSKey    string `yaml:"tls-key" help:"PEM file of its key"`
	CA        string `yaml:"ca" help:"PEM file of the authorities to trust, in place of the system's, if the bus has TLS"`
	LogLevel  string `yaml:"log-level" help:"debug, info, warn or error"`
	// BusSeedFile is read by the program.
	BusSeedFile string `yaml:"bus-seed-file" path:"any" help:"file with the key of this process on the bus, used there instead of the token; default: bus.seed among the credentials of its unit"`
	// AccessFile holds the tokens of people and programs, see package tokens; empty: there are none.
	AccessFile string `yaml:"access-file" help:"file of the tokens that waldo token create makes; default: access.json in the folder of the robot's state"`
	// State is the folder for what outlasts the process, which has the audit log; empty: nothing does.
	State string `yaml:"-"`
	// Instance is by what a launcher recognizes this process, see [vital.Instance]; empty: none does.
	Instance string `yaml:"-"`
}

// Validate reports all that is wrong.
func (s *Settings) Validate() error {
	var errs []error
	if err := robot.CheckName(s.Robot); err != nil {
		errs = append(errs, robot.BadField("robot", "%v", err))
	}
	if err := access.CheckBusURL(s.NATS); err != nil {
		errs = append(errs, robot.BadField("nats", "%w", err))
	}
	if _, err := s.Level(); err != nil {
		errs = append(errs, robot.BadField("log-level", "%w", err))
	}
	if s.Fleet && s.RobotFile != "" {
		errs = append(errs, robot.BadField("fleet", "serves robots that describe themselves: leave out robot-file, and give "+
			"what its section gateway: says as flags"))
	}
	return errors.Join(errs...)
}

// Level is the least level that is logged.
func (s *Settings) Level() (slog.Level, error) { return settings.Level(s.LogLevel) }

// Config is all that the gateway is told.
type Config struct {
	Settings
	Gateway Gateway
	Drive   drive.Drive
	// BusToken is what the bus wants to see, if anything.
	BusToken string
	// BusSeed is the key of this process on the bus; nil for none.
	BusSeed *keys.Seed
	// TLS is how the page is served.
	TLS TLS
	// Devices are those of the robot file: name and kind.
	Devices []robot.Device
	// Warnings are what should be changed in the robot file though it works.
	Warnings []error
	// Check and Version ask for that only.
	Check, Version bool
}

const about = `waldo-gateway brings the cameras of a robot to browsers: the page, WHEP, and a WebSocket for signalling.

Every setting is a flag, an environment variable (--http is WALDO_HTTP) and, from --http on, a key of the section
gateway: of robot.yaml. The flag wins over the environment over the file.

With --fleet it serves all robots at a hub: / is a list of them, and each is below /r/<robot>/ as at a gateway of its
own. Robots describe themselves there, so it needs no robot file.`

// Load reads flags and environment, and the robot file they name. Help goes to out; the error is settings.ErrHelp then.
func Load(args []string, environ func(string) string, out io.Writer) (*Config, error) {
	c := &Config{Settings: Settings{Robot: "robot", NATS: defaultNATS, LogLevel: "info"}, Gateway: Defaults()}
	common, own := robot.Fields(&c.Settings), robot.Fields(&c.Gateway)
	given, err := settings.Parse("waldo-gateway", slices.Concat(common, own), args, environ)
	if errors.Is(err, settings.ErrHelp) {
		settings.PrintHelp(out, about, slices.Concat(common, own))
	}
	c.Check, c.Version = given.Check, given.Version
	if err != nil || c.Version {
		return c, err
	}
	c.AccessFile, _ = tokens.Path(environ) // a machine without a folder for state has no tokens, and no audit log
	c.State, _ = state.Folder("", environ)
	c.Instance = environ(vital.Instance)
	c.Gateway.store = storeAt(cmp.Or(given.Value("access-file"), c.AccessFile))
	var section robot.Section
	var ofFile robot.TLS
	var driveErr error
	if file := given.Value("robot-file"); file != "" {
		r, err := robot.LoadHanded(file, environ)
		if err != nil {
			return nil, err
		}
		c.Robot, c.Devices, section, ofFile = r.Name, r.Devices, r.Gateway, r.TLS
		c.Drive, driveErr = drive.Read(r, given.Decode)
		if url, _ := r.NATS.Client(); url != "" {
			c.NATS = url
		}
	}
	var shared robot.Section
	given.Lay(&shared, common)
	given.Lay(&section, own)
	var tokenErr error
	c.BusToken, tokenErr = given.LayToken(&section)
	err = errors.Join(shared.Decode(&c.Settings), tokenErr, driveErr, given.Decode(&section, &c.Gateway))
	if c.Fleet && c.Gateway.Rendezvous.URL != "" {
		err = errors.Join(err,
			section.Locate(robot.BadField("rendezvous.url", "is for the gateway of one robot: leave it out "+
				"with --fleet")))
	}
	err = errors.Join(err, c.useTLS(ofFile, environ))
	if len(c.Devices) > 0 {
		err = errors.Join(err, section.Locate(c.Gateway.RTCBot.check(c.Devices)))
	}
	c.Warnings = given.Warnings()
	if c.Fleet && err == nil {
		c.Warnings = append(c.Warnings, c.fleetWarnings(environ)...)
	}
	return c, err
}

// fleetWarnings are about what a gateway of a fleet lacks in all likelihood: it would start, and serve nobody.
func (c *Config) fleetWarnings(environ func(string) string) (warnings []error) {
	if _, narrowed := c.Gateway.HTTPAddress(); narrowed {
		warnings = append(warnings,
			robot.BadField("token", "there is none, so only this machine reaches the list of robots: "+
				"`waldo token create NAME --access-file FILE` makes one, and --access-file=FILE has it count here"))
	}
	if c.BusSeedFile == "" && c.BusToken == "" && environ("CREDENTIALS_DIRECTORY") == "" {
		warnings = append(warnings, robot.BadField("bus-seed-file", "is missing: a hub knows a gateway by its key, which "+
			"`waldo hub key FILE` makes"))
	}
	return warnings
}
