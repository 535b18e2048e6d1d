package device

import (
	"errors"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// Settings are what every device has beside the configuration of its kind. As flags and environment variables they have
// the names of their keys: --grpc, WALDO_GRPC.
type Settings struct {
	RobotFile string `yaml:"robot-file" help:"robot.yaml that describes the robot; without it everything is said by flags"`
	Robot     string `yaml:"robot" help:"name of the robot; default: that of the robot file"`
	Device    string `yaml:"device" help:"name of this device"`
	NATS      string `yaml:"nats" help:"URL of the bus"`
	GRPC      string `yaml:"grpc" help:"where to serve gRPC, host:port; port 0 takes a free one"`
	Metrics   string `yaml:"metrics" help:"where to serve metrics and profiles over HTTP"`
	Token     string `yaml:"token" help:"secret that callers, and this process on the bus, must present"`
	LogLevel  string `yaml:"log-level" help:"debug, info, warn or error"`
}

// defaultSettings are in force where nothing else is said.
var defaultSettings = Settings{
	Robot:    "robot",
	NATS:     "nats://127.0.0.1:4222",
	GRPC:     "127.0.0.1:0",
	Metrics:  "127.0.0.1:0",
	LogLevel: "info",
}

// Validate checks all of the settings.
func (s *Settings) Validate() error {
	var errs []error
	if err := robot.CheckName(s.Robot); err != nil {
		errs = append(errs, robot.BadField("robot", "%v", err))
	}
	if err := robot.CheckDeviceName(s.Device); err != nil {
		errs = append(errs, robot.BadField("device", "%v", err))
	}
	if _, err := logLevel(s.LogLevel); err != nil {
		errs = append(errs, robot.BadField("log-level", "%q is not a level: use debug, info, warn or error", s.LogLevel))
	}
	if _, _, err := access.Address(s.GRPC, s.Token); err != nil {
		errs = append(errs, robot.BadField("grpc", "%v", err))
	}
	if _, _, err := access.Address(s.Metrics, ""); err != nil { // metrics are never protected, so never public
		errs = append(errs, robot.BadField("metrics", "%v", err))
	}
	return errors.Join(errs...)
}
