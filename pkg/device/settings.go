package device

import (
	"cmp"
	"errors"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/settings"
)

// Settings are what every device has beside the configuration of its kind. As flags and environment variables they have
// the names of their keys: --grpc, WALDO_GRPC.
type Settings struct {
	RobotFile string `yaml:"robot-file" help:"robot.yaml that describes the robot; without it everything is said by flags"`
	Robot     string `yaml:"robot" help:"name of the robot; the one in the robot file, if there is one, comes before the default"`
	Device    string `yaml:"device" help:"name of this device"`
	NATS      string `yaml:"nats" help:"URL of the bus"`
	GRPC      string `yaml:"grpc" help:"where to serve gRPC, host:port; port 0 takes a free one"`
	Metrics   string `yaml:"metrics" help:"where to serve metrics and profiles over HTTP, on loopback only"`
	Token     string `yaml:"token" help:"secret that callers, and this process on the bus, must present; others can see flags, so rather use WALDO_TOKEN"`
	TokenFile string `yaml:"token-file" help:"file with that secret, which wins only where no token is given; default: the unit's credential \"token\""`
	// AccessFile holds the tokens of people and programs, see package tokens; empty: there are none.
	AccessFile string `yaml:"access-file" help:"file of the tokens that waldo token create makes; default: access.json in the folder of the robot's state"`
	TLSCert    string `yaml:"tls-cert" help:"PEM file of the certificate for gRPC; default: as tls: in the robot file says"`
	TLSKey     string `yaml:"tls-key" help:"PEM file of its key"`
	CA         string `yaml:"ca" help:"PEM file of the authorities to trust, in place of the system's, if the bus has TLS"`
	LogLevel   string `yaml:"log-level" help:"debug, info, warn or error"`
	// State is the folder for what outlasts the process, which has the audit log; empty: none is written.
	State string `yaml:"-"`
	// BusSeedFile is read by [Main] only.
	BusSeedFile string `yaml:"bus-seed-file" path:"any" help:"file with the key of this process on the bus, used there instead of the token; default: bus.seed among the credentials of its unit"`

	// Seed is the key of this process on the bus; nil for none.
	Seed *keys.Seed

	issued bool  // the certificate is written by another process, maybe later
	epoch  int64 // of the process, if that is known before the device starts
}

// defaultSettings are in force where nothing else is said.
var defaultSettings = Settings{
	Robot:    "robot",
	NATS:     "nats://127.0.0.1:4222",
	GRPC:     "127.0.0.1:0",
	Metrics:  "127.0.0.1:0",
	LogLevel: "info",
}

func (s Settings) withDefaults() Settings {
	s.Robot = cmp.Or(s.Robot, defaultSettings.Robot)
	s.NATS = cmp.Or(s.NATS, defaultSettings.NATS)
	s.GRPC = cmp.Or(s.GRPC, defaultSettings.GRPC)
	s.Metrics = cmp.Or(s.Metrics, defaultSettings.Metrics)
	s.LogLevel = cmp.Or(s.LogLevel, defaultSettings.LogLevel)
	return s
}

// authority decides who may call.
func (s Settings) authority() *tokens.Authority {
	var store *tokens.Store
	if s.AccessFile != "" {
		store = tokens.Open(s.AccessFile)
	}
	return tokens.NewAuthority(s.Token, store).Of(s.Robot)
}

// Validate checks all of the settings, and reports all that is wrong.
func (s *Settings) Validate() error {
	_, _, grpcErr := s.authority().Address(s.GRPC)
	_, metricsErr := access.Loopback(s.Metrics) // metrics are never protected, so never public
	_, levelErr := settings.Level(s.LogLevel)
	var errs []error
	for _, field := range []struct {
		key string
		err error
	}{
		{"robot", robot.CheckName(s.Robot)},
		{"device", checkDevice(s.Robot, s.Device)},
		{"nats", access.CheckBusURL(s.NATS)},
		{"grpc", grpcErr},
		{"metrics", metricsErr},
		{"token", access.CheckToken(s.Token)},
		{"tls", s.files().Validate()},
		{"log-level", levelErr},
	} {
		if field.err != nil {
			errs = append(errs, robot.BadField(field.key, "%v", field.err))
		}
	}
	return errors.Join(errs...)
}

// checkDevice checks the name of the device and, if the parts are fine, that the two names make an address on the bus.
func checkDevice(robotName, name string) error {
	if name == "" {
		return errors.New("is missing: name this device, for example --device front")
	}
	if err := robot.CheckDeviceName(name); err != nil || robot.CheckName(robotName) != nil {
		return err
	}
	return bus.Address{Robot: robotName, Device: name}.Validate()
}
