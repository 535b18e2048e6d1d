package device

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// envPrefix is put before the key of a setting to make its environment variable.
const envPrefix = "WALDO_"

// options are the flags that say what to do rather than how.
type options struct {
	check   bool
	version bool
}

// configure reads flags, environment and robot file, in falling order of precedence, into settings and the kind's configuration.
func configure[C any](k Kind[C], args []string, environ func(string) string, help io.Writer) (Settings, C, options, error) {
	given := &given{kind: k.Name, environ: environ}
	settings, config := defaultSettings, k.Defaults
	known := []any{&settings, &config}
	opts, err := given.parse(args, known, help)
	if err != nil {
		return settings, config, opts, err
	}
	if opts.version {
		return settings, config, opts, nil
	}
	section, err := given.load(&settings)
	if err != nil {
		return settings, config, opts, err
	}
	given.apply(section, robot.Fields(&config))
	return settings, config, opts, section.Decode(&config)
}

// given holds what was said on the command line and looks up what the environment says.
type given struct {
	kind    string
	environ func(string) string
	flags   map[string]string
}

// parse makes a flag of every field, so that --help lists them all.
func (g *given) parse(args []string, known []any, help io.Writer) (options, error) {
	var opts options
	set := flag.NewFlagSet("waldo-"+g.kind, flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are told once, by the caller
	set.BoolVar(&opts.check, "check", false, "")
	set.BoolVar(&opts.version, "version", false, "")
	g.flags = map[string]string{}
	var fields []robot.Field
	for _, group := range known {
		fields = append(fields, robot.Fields(group)...)
	}
	for _, f := range fields {
		set.Var(&flagValue{g.flags, f}, f.Key, "")
	}
	err := set.Parse(args)
	if isHelp(err) {
		g.printHelp(help, fields)
	}
	if err != nil {
		return opts, err
	}
	if set.NArg() > 0 {
		return opts, fmt.Errorf("unexpected argument %q: settings are given as --key value", set.Arg(0))
	}
	return opts, nil
}

func (g *given) printHelp(to io.Writer, fields []robot.Field) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	line("waldo-%s runs one %s of a robot: one process, a gRPC API, a place on the bus.\n", g.kind, g.kind)
	line("Every setting is a flag, an environment variable (--log-level is %sLOG_LEVEL) and, those of", envPrefix)
	line("the %s itself, a key of the device in robot.yaml. The flag wins over the environment over the file.\n", g.kind)
	for _, f := range fields {
		text := f.Help
		if f.Default != "" {
			text += fmt.Sprintf(" (default %s)", f.Default)
		}
		line("  --%s\t%s", f.Key, text)
	}
	line("  --check\tcheck the configuration and exit")
	line("  --version\tprint the version and exit")
	_ = w.Flush() // help that cannot be printed has no other reader
}

// load reads the settings and finds the section of the device in the robot file, if there is one.
func (g *given) load(s *Settings) (*robot.Section, error) {
	if file := g.value("robot-file"); file != "" {
		r, err := robot.Load(file)
		if err != nil {
			return nil, err
		}
		d, err := r.Device(g.value("device"))
		if err != nil {
			return nil, fmt.Errorf("--device: %w", err)
		}
		if d.Kind != g.kind {
			return nil, fmt.Errorf("%s: device %q is of kind %q, but this program runs kind %q", r.File, d.Name, d.Kind, g.kind)
		}
		s.Robot, s.GRPC = r.Name, d.GRPC
		if r.NATS.URL != "" {
			s.NATS = r.NATS.URL
		}
		section := d.Section
		return &section, g.settings(s)
	}
	return &robot.Section{}, g.settings(s)
}

func (g *given) settings(s *Settings) error {
	var section robot.Section
	g.apply(&section, robot.Fields(s))
	return section.Decode(s)
}

// apply lays environment and flags over a section.
func (g *given) apply(section *robot.Section, fields []robot.Field) {
	for _, f := range fields {
		if v := g.environ(envName(f.Key)); v != "" {
			section.Override(f.Key, v, envName(f.Key))
		}
		if v, ok := g.flags[f.Key]; ok {
			section.Override(f.Key, v, "--"+f.Key)
		}
	}
}

func (g *given) value(key string) string {
	if v, ok := g.flags[key]; ok {
		return v
	}
	return g.environ(envName(key))
}

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(key))
}

// flagValue notes a flag's text; the robot package reads it by the same rules as robot.yaml.
type flagValue struct {
	into  map[string]string
	field robot.Field
}

func (v *flagValue) Set(text string) error { v.into[v.field.Key] = text; return nil }
func (v *flagValue) String() string        { return "" }
func (v *flagValue) IsBoolFlag() bool      { return v.field.Bool }

func logLevel(text string) (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(text))
	return level, err
}

// isHelp tells whether err only says that help was asked for, and printed.
func isHelp(err error) bool { return errors.Is(err, flag.ErrHelp) }

func environment(key string) string { return os.Getenv(key) }
