// Package settings reads what a program is told by its flags and its environment, for the programs of a robot: devices
// and the gateway. Each key of a configuration struct (see [robot.Fields]) is a flag and an environment variable:
// jpegQuality is --jpeg-quality and WALDO_JPEG_QUALITY. The flag wins over the environment, and both over robot.yaml,
// onto which [Given.Lay] lays them: values are read, and errors told, in one place.
//
// Besides, every program has --check, which looks at the configuration and exits, --version and --help.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// ErrHelp says that help was asked for.
var ErrHelp = flag.ErrHelp

// Given is what flags and environment say. It is only read after [Parse].
type Given struct {
	// Check asks to look at the configuration only, Version to print the version only.
	Check, Version bool

	flags    map[string]string
	environ  func(string) string
	warnings []error
}

// Parse reads the command line of a program. Values are not looked at yet. A field whose flag another one has is an
// error.
func Parse(program string, fields []robot.Field, args []string, environ func(string) string) (*Given, error) {
	g := &Given{flags: map[string]string{}, environ: environ}
	set := flag.NewFlagSet(program, flag.ContinueOnError)
	set.SetOutput(io.Discard) // errors are told once, by the caller
	set.BoolVar(&g.Check, "check", false, "")
	set.BoolVar(&g.Version, "version", false, "")
	for _, f := range fields {
		if set.Lookup(flagName(f.Key)) != nil {
			return g, fmt.Errorf("%s: the key %q is taken: rename it", program, f.Key)
		}
		set.Var(&value{g.flags, f}, flagName(f.Key), "")
	}
	err := set.Parse(args)
	switch {
	case errors.Is(err, ErrHelp):
		return g, ErrHelp
	case err != nil:
		return g, fmt.Errorf("%w (%s --help lists all flags)", err, program)
	case set.NArg() > 0:
		return g, fmt.Errorf("unexpected argument %q: settings are given as --key value",
			fmt.Sprintf("%.64s", access.RedactText(set.Arg(0))))
	}
	return g, nil
}

// Value returns the text of a key, "" if neither flag nor environment give it.
func (g *Given) Value(key string) string {
	if v, ok := g.flags[key]; ok {
		return v
	}
	return g.environ(envName(key))
}

// Lay puts environment and flags over a section, for the fields named.
func (g *Given) Lay(section *robot.Section, fields []robot.Field) {
	for _, f := range fields {
		if v := g.environ(envName(f.Key)); v != "" {
			section.Override(f.Key, v, g.origin(f.Key))
		}
		if v, ok := g.flags[f.Key]; ok {
			section.Override(f.Key, v, "--"+flagName(f.Key))
		}
	}
}

// LayToken puts the secret of a file over a section, as its key "token", if neither flag nor environment give one; see
// [access.Token]. It returns the secret that counts.
func (g *Given) LayToken(section *robot.Section) (token string, err error) {
	token, err = access.Token(g.Value("token"), g.Value("token-file"), g.environ)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	if token != g.Value("token") {
		section.Override("token", token, "--token-file")
	}
	return token, nil
}

// MovedFlags is the environment variable with the names of flags, commas between, whose values a program has moved to
// its environment to hide them from the list of processes. Errors name the flag, as people gave it.
const MovedFlags = "WALDO_MOVED_FLAGS"

// origin is where people gave a value that the environment holds.
func (g *Given) origin(key string) string {
	if slices.Contains(strings.Split(g.environ(MovedFlags), ","), flagName(key)) {
		return "--" + flagName(key)
	}
	return envName(key)
}

// Decode is [robot.Section.Decode], and notes what of the file should be changed though it works; see [Given.Warnings].
func (g *Given) Decode(section *robot.Section, into any) error {
	g.warnings = append(g.warnings, section.Warnings(into)...)
	return section.Decode(into)
}

// Warnings are those of the sections decoded so far. A process that a launcher has started has none, unless it only
// checks its configuration: the launcher prints them, once for all restarts.
func (g *Given) Warnings() []error {
	if g.environ(robot.HandedFD) != "" && !g.Check {
		return nil
	}
	return g.warnings
}

// warning begins a line of [PrintWarnings].
const warning = "warning: "

// PrintWarnings prints warnings for the people, or the launcher, that asked for a check, each on a line.
func PrintWarnings(to io.Writer, warnings []error) {
	for _, w := range warnings {
		_, _ = fmt.Fprintln(to, warning+strings.ReplaceAll(w.Error(), "\n", " "))
	}
}

// ReadWarnings finds what PrintWarnings has printed in the output of a program.
func ReadWarnings(output string) (warnings []string) {
	for line := range strings.Lines(output) {
		if text, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), warning); ok {
			warnings = append(warnings, text)
		}
	}
	return warnings
}

// PrintHelp prints what the program does and lists its flags.
func PrintHelp(to io.Writer, about string, fields []robot.Field) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	line("%s\n", about)
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

// Level reads the name of a log level.
func Level(text string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return level, fmt.Errorf("%.64q is not a level: use debug, info, warn or error", text)
	}
	return level, nil
}

// flagName makes jpegQuality, jpeg_quality and jpeg-quality jpeg-quality.
func flagName(key string) string {
	var name strings.Builder
	for i, r := range strings.ReplaceAll(key, "_", "-") {
		if unicode.IsUpper(r) && i > 0 {
			name.WriteByte('-')
		}
		name.WriteRune(unicode.ToLower(r))
	}
	return name.String()
}

func envName(key string) string {
	return "WALDO_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(flagName(key)))
}

// value notes a flag's text; package robot reads it by the same rules as robot.yaml.
type value struct {
	into  map[string]string
	field robot.Field
}

func (v *value) Set(text string) error { v.into[v.field.Key] = text; return nil }
func (v *value) String() string        { return "" }
func (v *value) IsBoolFlag() bool      { return v.field.Bool }
