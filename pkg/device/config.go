package device

import (
	"errors"
	"fmt"
	"io"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/settings"
)

// configure reads flags, environment and robot file, in falling order of precedence, into settings and the kind's
// configuration. The error reports everything that is wrong.
func configure[C any](k Kind[C], args []string, environ func(string) string, help io.Writer) (Settings, C,
	*settings.Given, error) {
	common, config := defaultSettings, k.Defaults
	fields := append(robot.Fields(&common), robot.Fields(&config)...)
	given, err := settings.Parse("waldo-"+k.Name, fields, args, environ)
	if errors.Is(err, settings.ErrHelp) {
		settings.PrintHelp(help, about(k.Name), fields)
	}
	if err != nil || given.Version {
		return common, config, given, err
	}
	own, shared, err := load(k.Name, given, environ)
	if err != nil {
		return common, config, given, err
	}
	given.Lay(&shared, robot.Fields(&common))
	given.Lay(&own, robot.Fields(&config))
	return common, config, given, errors.Join(shared.Decode(&common), given.Decode(&own, &config))
}

func about(kind string) string {
	return fmt.Sprintf(`waldo-%s runs one device of a robot, of the kind %s: one process, a gRPC API, a place on the bus.

Every setting is a flag, an environment variable (--log-level is WALDO_LOG_LEVEL) and, those that are
particular to the kind, a key of the device in robot.yaml. The flag wins over the environment over the file.`, kind, kind)
}

// load reads the robot file, if there is one: own is the section of this device, shared what the file says of settings.
func load(kind string, given *settings.Given, environ func(string) string) (own, shared robot.Section, err error) {
	file := given.Value("robot-file")
	if file == "" {
		return own, shared, nil
	}
	r, err := robot.LoadHanded(file, environ)
	if err != nil {
		return own, shared, err
	}
	d, err := r.Device(given.Value("device"))
	switch {
	case err != nil:
		return own, shared, fmt.Errorf("--device: %w", err)
	case d.Kind != kind:
		return own, shared, fmt.Errorf("%s: devices.%s.kind: is %q, but this program runs devices of kind %q", r.File,
			d.Name, d.Kind, kind)
	}
	shared.Override("robot", r.Name, r.File+": robot")
	shared.Override("grpc", d.GRPC, r.File+": devices."+d.Name+".grpc")
	if url, key := r.NATS.Client(); url != "" {
		shared.Override("nats", url, r.File+": "+key)
	}
	return d.Section, shared, nil
}
