package device

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
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

// configure reads flags, environment and robot file, in falling order of precedence, into settings and the kind's configuration. The
// error says all that is wrong.
func configure[C any](k Kind[C], args []string, environ func(string) string, help io.Writer) (Settings, C, options, error) {
	given := &given{kind: k.Name, environ: environ}
	settings, config := defaultSettings, k.Defaults
	opts, err := given.parse(args, append(robot.Fields(&settings), robot.Fields(&config)...), help)
	if err != nil || opts.version {
		return settings, config, opts, err
	}
	own, shared, err := given.load()
	if err != nil {
		return settings, config, opts, err
	}
	given.apply(&shared, robot.Fields(&settings))
	given.apply(&own, robot.Fields(&config))
	return settings, config, opts, errors.Join(shared.Decode(&settings), own.Decode(&config))
}

// given holds what was said on the command line and looks up what the environment says.
type given struct {
	kind    string
	environ func(string) string
	flags   map[string]string
}

// parse makes a flag of every field, so that --help lists them all.
func (g *given) parse(args []string, fields []robot.Field, help io.Writer) (options, error) {
	var opts options
	set := flag.NewFlagSet("waldo-"+g.kind, flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are told once, by the caller
	set.BoolVar(&opts.check, "check", false, "")
	set.BoolVar(&opts.version, "version", false, "")
	g.flags = map[string]string{}
	for _, f := range fields {
		if set.Lookup(f.Key) != nil {
			return opts, fmt.Errorf("kind %s: the key %q is taken by the device kit: rename it", g.kind, f.Key)
		}
		set.Var(&flagValue{g.flags, f}, f.Key, "")
	}
	err := set.Parse(args)
	switch {
	case isHelp(err):
		g.printHelp(help, fields)
		return opts, err
	case err != nil:
		return opts, fmt.Errorf("%w (waldo-%s --help lists all flags)", err, g.kind)
	case set.NArg() > 0:
		return opts, fmt.Errorf("unexpected argument %q: settings are given as --key value", plain(set.Arg(0)))
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

// load reads the robot file, if there is one: own is the section of this device,
// shared what the file says of settings.
func (g *given) load() (own, shared robot.Section, err error) {
	file := g.value("robot-file")
	if file == "" {
		return own, shared, nil
	}
	r, err := robot.Load(file)
	if err != nil {
		return own, shared, err
	}
	d, err := r.Device(g.value("device"))
	switch {
	case err != nil:
		return own, shared, fmt.Errorf("--device: %w", err)
	case d.Kind != g.kind:
		return own, shared, fmt.Errorf("%s: devices.%s.kind: is %q, but this program runs devices of kind %q", r.File, d.Name, d.Kind, g.kind)
	}
	shared.Override("robot", r.Name, r.File+": robot")
	shared.Override("grpc", d.GRPC, r.File+": devices."+d.Name+".grpc")
	if r.NATS.URL != "" {
		shared.Override("nats", r.NATS.URL, r.File+": nats.url")
	}
	if host, port, err := net.SplitHostPort(r.NATS.Listen); err == nil && port != "0" {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1" // an embedded server runs on this machine
		}
		shared.Override("nats", "nats://"+net.JoinHostPort(host, port), r.File+": nats.listen")
	}
	return d.Section, shared, nil
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

// isHelp tells whether err only says that help was asked for, and printed.
func isHelp(err error) bool { return errors.Is(err, flag.ErrHelp) }
