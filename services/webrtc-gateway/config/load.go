package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// Settings are what the gateway is told beside its section of robot.yaml.
type Settings struct {
	RobotFile string `yaml:"robot-file" help:"robot.yaml that describes the robot; without it the devices are found on the bus"`
	Robot     string `yaml:"robot" help:"name of the robot; default: that of the robot file"`
	NATS      string `yaml:"nats" help:"URL of the bus"`
	LogLevel  string `yaml:"log-level" help:"debug, info, warn or error"`
}

// Validate reports all that is wrong.
func (s *Settings) Validate() error {
	var errs []error
	if err := robot.CheckName(s.Robot); err != nil {
		errs = append(errs, robot.BadField("robot", "%v", err))
	}
	if _, err := s.Level(); err != nil {
		errs = append(errs, robot.BadField("log-level", "%q is not a level: use debug, info, warn or error", s.LogLevel))
	}
	return errors.Join(errs...)
}

// Level is the least level that is logged.
func (s *Settings) Level() (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(s.LogLevel))
	return level, err
}

// Config is all that the gateway is told.
type Config struct {
	Settings
	Gateway Gateway
	// BusToken is what the bus wants to see, if anything.
	BusToken string
	// Devices are those of the robot file: name and kind.
	Devices []robot.Device
	// Check and Version ask for that only.
	Check, Version bool
}

// ErrHelp says that help was asked for, and printed.
var ErrHelp = flag.ErrHelp

// Load reads flags and environment, and the robot file they name. Help goes to out.
func Load(args []string, environ func(string) string, out io.Writer) (*Config, error) {
	c := &Config{Settings: Settings{Robot: "robot", NATS: defaultNATS, LogLevel: "info"}, Gateway: Defaults()}
	g, err := c.parse(args, environ, out)
	if err != nil || c.Version {
		return c, err
	}
	var section robot.Section
	if file := g.value("robot-file"); file != "" {
		r, err := robot.Load(file)
		if err != nil {
			return nil, err
		}
		c.useRobot(r)
		section = r.Gateway
	}
	var settings robot.Section
	g.lay(&settings, robot.Fields(&c.Settings))
	g.lay(&section, robot.Fields(&c.Gateway))
	c.BusToken = g.value("token")
	return c, errors.Join(settings.Decode(&c.Settings), section.Decode(&c.Gateway))
}

func (c *Config) useRobot(r *robot.Robot) {
	c.Robot, c.Devices = r.Name, r.Devices
	switch {
	case r.NATS.URL != "":
		c.NATS = r.NATS.URL
	case r.NATS.Listen != "":
		c.NATS = "nats://" + r.NATS.Listen
	}
}

// given holds what flags and environment say.
type given struct {
	flags   map[string]string
	environ func(string) string
}

// parse makes a flag of every key.
func (c *Config) parse(args []string, environ func(string) string, out io.Writer) (given, error) {
	g := given{flags: make(map[string]string), environ: environ}
	set := flag.NewFlagSet("waldo-gateway", flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are told once, by the caller
	set.BoolVar(&c.Check, "check", false, "")
	set.BoolVar(&c.Version, "version", false, "")
	fields := append(robot.Fields(&c.Settings), robot.Fields(&c.Gateway)...)
	for _, f := range fields {
		set.Func(flagName(f.Key), "", func(text string) error { g.flags[f.Key] = text; return nil })
	}
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printHelp(out, fields)
	case err == nil && set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q: settings are given as --key value", set.Arg(0))
	}
	return g, err
}

func printHelp(out io.Writer, fields []robot.Field) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	line("waldo-gateway brings the cameras of a robot to browsers: the page, WHEP, and a WebSocket for signalling.\n")
	line("Every setting is a flag, an environment variable (--http is WALDO_HTTP) and, from --http on, a key of the section")
	line("gateway: of robot.yaml. The flag wins over the environment over the file.\n")
	for _, f := range fields {
		text := f.Help
		if f.Default != "" {
			text += fmt.Sprintf(" (default %s)", f.Default)
		}
		line("  --%s\t%s", flagName(f.Key), text)
	}
	line("  --check\tcheck the configuration and exit")
	line("  --version\tprint the version and exit")
	_ = w.Flush() // help that cannot be printed has no other reader
}

// lay puts environment and flags over a section.
func (g given) lay(section *robot.Section, fields []robot.Field) {
	for _, f := range fields {
		if v := g.environ(envName(f.Key)); v != "" {
			section.Override(f.Key, v, envName(f.Key))
		}
		if v, ok := g.flags[f.Key]; ok {
			section.Override(f.Key, v, "--"+flagName(f.Key))
		}
	}
}

func (g given) value(key string) string {
	if v, ok := g.flags[key]; ok {
		return v
	}
	return g.environ(envName(key))
}

func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

func envName(key string) string {
	return "WALDO_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(key))
}
