package device

import (
	"errors"
	"fmt"
	"io"

	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/settings"
	"github.com/waldo-robot/waldo/pkg/state"
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
	own, shared, whole, err := load(k.Name, given, environ)
	if err != nil {
		return common, config, given, err
	}
	common.AccessFile, _ = tokens.Path(environ) // a machine without a folder for state has no tokens, and no audit log
	common.State, _ = state.Folder("", environ)
	given.Lay(&shared, robot.Fields(&common))
	_, tokenErr := given.LayToken(&shared)
	given.Lay(&own, robot.Fields(&config))
	err = given.Decode(&own, &config)
	if err == nil && whole != nil {
		err = own.Locate(ofRobot(&config, whole, given.Value("device")))
	}
	err = errors.Join(shared.Decode(&common), tokenErr, err)
	if whole != nil && common.TLSCert == "" && common.TLSKey == "" {
		err = errors.Join(err, common.useTLS(&whole.TLS, environ))
	}
	return common, config, given, err
}

// OfRobot is a configuration that also depends on other parts of the robot file than the section of the device. OfRobot
// is called after that section was read. Its error may wrap those of [robot.BadField], about keys of that section.
type OfRobot interface {
	OfRobot(r *robot.Robot, device string) error
}

// ofRobot has a configuration take what it needs. What is asked of a device that is driven must not be ignored.
func ofRobot(config any, r *robot.Robot, device string) error {
	if c, ok := config.(OfRobot); ok {
		return c.OfRobot(r, device)
	}
	if r.Drive.Text("device") == device && r.Drive.Text("see") != "" {
		return r.Drive.Locate(robot.BadField("see",
			"the kind of the device %q does not check what its driver sees: leave it "+
				"out, or have the kind's configuration implement device.OfRobot", device))
	}
	return nil
}

func about(kind string) string {
	return fmt.Sprintf(`waldo-%s runs one device of a robot, of the kind %s: one process, a gRPC API, a place on the bus.

Every setting is a flag, an environment variable (--log-level is WALDO_LOG_LEVEL) and, those that are
particular to the kind, a key of the device in robot.yaml. The flag wins over the environment over the file.`, kind, kind)
}

// load reads the robot file, if there is one, into r: own is the section of this device, shared what the file says of
// settings.
func load(kind string, given *settings.Given, environ func(string) string) (own, shared robot.Section, r *robot.Robot,
	err error) {
	file := given.Value("robot-file")
	if file == "" {
		return own, shared, nil, nil
	}
	if r, err = robot.LoadHanded(file, environ); err != nil {
		return own, shared, nil, err
	}
	d, err := r.Device(given.Value("device"))
	switch {
	case err != nil:
		return own, shared, nil, fmt.Errorf("--device: %w", err)
	case d.Kind != kind:
		return own, shared, nil, fmt.Errorf("%s: devices.%s.kind: is %q, but this program runs devices of kind %q", r.File,
			d.Name, d.Kind, kind)
	}
	shared.Override("robot", r.Name, r.File+": robot")
	shared.Override("grpc", d.GRPC, r.File+": devices."+d.Name+".grpc")
	if url, key := r.NATS.Client(); url != "" {
		shared.Override("nats", url, r.File+": "+key)
	}
	return d.Section, shared, r, nil
}
