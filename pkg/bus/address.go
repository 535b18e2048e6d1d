package bus

import (
	"fmt"

	"github.com/waldo-robot/waldo/pkg/text"
)

// root is the first part of every subject; its number changes only when old and new peers can no longer understand each
// other.
const root = "waldo.v1."

// Any stands for all devices of the robot, as the device of an [Address] to subscribe to.
const Any = "*"

// reserved cannot be a device: waldo.v1.<robot>.msg.<topic> is for messages between peers and programs.
const reserved = "msg"

// RobotDevice is the name under which a robot as a whole speaks; see package presence. A robot that connects to a hub
// has no device of this name.
const RobotDevice = "robot"

// AskRobots is the subject on which all robots at a hub are asked to describe themselves, waldo.fleet.v1.Ask. So no
// robot is named like its third part.
const AskRobots = root + Fleet + ".ask"

// Fleet is what no robot at a hub may be named.
const Fleet = "fleet"

// Address names a device on the bus.
type Address struct {
	Robot, Device string
}

// Topic is the subject of messages between peers and programs of a robot, waldo.message.v1.Message; see [CheckTopic].
func Topic(robot, topic string) string { return root + robot + "." + reserved + "." + topic }

// A topic has up to longestTopic of the topicCharacters.
const (
	longestTopic    = 64
	topicCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
)

// CheckTopic returns an error with the rule for topics unless the topic follows it.
func CheckTopic(topic string) error {
	if topic != "" && len(topic) <= longestTopic && text.Only(topic, topicCharacters) {
		return nil
	}
	return fmt.Errorf("%.80q is not a valid topic: use 1 to 64 letters, digits, hyphens and underscores", topic)
}

// Validate returns an error that names the part of the address that cannot be part of a subject, if any.
func (a Address) Validate() error {
	if err := validName("robot", a.Robot); err != nil {
		return err
	}
	if a.Device == reserved {
		return fmt.Errorf("device: %q is taken: its subjects are those of messages between programs; choose another name",
			reserved)
	}
	return validName("device", a.Device)
}

func validName(field, name string) error {
	if text.IsName(name) {
		return nil
	}
	return fmt.Errorf("%s: %q is not a name: use 1 to 63 lower-case letters, digits and inner hyphens", field, name)
}

// Out is the subject of a stream that the device produces.
func (a Address) Out(stream string) string { return a.subject("out." + stream) }

// In is the subject of a stream that the device accepts.
func (a Address) In(stream string) string { return a.subject("in." + stream) }

// Work is the subject of what the workers of a track made of the device's frames,
// waldo.work.v1.Result; see package work.
func (a Address) Work(track string) string { return a.subject("work." + track) }

// State is the subject on which the device describes itself.
func (a Address) State() string { return a.subject("state") }

// RPC is the subject of a unary method; service is its full name, for example waldo.camera.v1.CameraService.
func (a Address) RPC(service, method string) string {
	return a.subject("rpc." + service + "." + method)
}

// String returns the address as people write it.
func (a Address) String() string { return a.Robot + "/" + a.Device }

func (a Address) subject(rest string) string { return root + a.Robot + "." + a.Device + "." + rest }
