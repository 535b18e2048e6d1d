package permissions

import (
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/bus"
)

// Action is what a [Rule] is about.
type Action int

// The actions.
const (
	// Publish a message, or make a call.
	Publish Action = iota
	// Refuse to publish, though another rule allows it.
	Refuse
	// Subscribe to messages, or to calls that one answers.
	Subscribe
)

// String returns the word for an action.
func (a Action) String() string { return [...]string{"publish", "never publish", "subscribe"}[a] }

// Rule allows one subject, which may have wildcards.
type Rule struct {
	Action  Action
	Subject string
	// Why says what it is for, for people.
	Why string
}

// Permissions are the subjects that one connection may use, besides the answers to its own calls.
type Permissions struct {
	// All allows everything.
	All bool `json:"all,omitempty"`
	// Publish are the subjects that may be published, except those in Refuse.
	Publish []string `json:"publish,omitempty"`
	Refuse  []string `json:"refuse,omitempty"`
	// Subscribe are the subjects that may be subscribed.
	Subscribe []string `json:"subscribe,omitempty"`
	// Answer allows to answer what one is asked.
	Answer bool `json:"answer,omitempty"`
}

// Of returns rules as permissions.
func Of(rules []Rule, answers bool) Permissions {
	p := Permissions{Answer: answers}
	for _, r := range rules {
		list := map[Action]*[]string{Publish: &p.Publish, Refuse: &p.Refuse, Subscribe: &p.Subscribe}[r.Action]
		if !slices.Contains(*list, r.Subject) {
			*list = append(*list, r.Subject)
		}
	}
	return p
}

// holdStream is the subject by which streams of a device are held.
func holdStream(a bus.Address) string { return a.RPC(deviceService, "HoldStream") }

const deviceService = "waldo.device.v1.DeviceService"

// discovery are the subjects by which NATS micro looks for services of a kind.
func discovery(kind string) []Rule {
	const why = "to be found (`nats micro ls`)"
	var rules []Rule
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		rules = append(rules, Rule{Subscribe, "$SRV." + verb, why})
	}
	name := "waldo-" + kind
	if kind == bus.Any {
		name = bus.Any
	}
	return append(rules, Rule{Subscribe, "$SRV.*." + name, why}, Rule{Subscribe, "$SRV.*." + name + ".*", why})
}

// search are the subjects by which services are looked for.
func search() []Rule { return []Rule{{Publish, "$SRV.>", "to look for devices"}} }

// reading are the rules for a stream of a device, or for all of them.
func reading(a bus.Address, stream, why string) []Rule {
	return []Rule{
		{Subscribe, a.Out(stream), why},
		{Subscribe, a.State(), why + ": whether the device has restarted"},
		{Publish, holdStream(a), why + ": it is sent while it is held"},
	}
}

// Gateway returns the rules of the gateway of a robot. It says itself what the people may do that it serves.
func Gateway(robot string) []Rule {
	all := bus.Address{Robot: robot, Device: bus.Any}
	return append([]Rule{
		{Publish, calls(all), "calls of pages and programs"},
		{Publish, all.In(everything), "what pages and programs send: sound, pictures, messages"},
		{Publish, bus.Topic(robot, bus.Any), "messages of pages"},
		{Subscribe, bus.Topic(robot, bus.Any), "messages for pages"},
		{Subscribe, all.Out(everything), "streams for pages and programs"},
		{Subscribe, all.Work(everything), "results of workers"},
		{Subscribe, all.State(), "which devices there are"},
	}, search()...)
}

// everything stands for all streams, methods or tracks of a device.
const everything = ">"

// LauncherName is the name of the launcher on the bus, beside the devices of its robot.
const LauncherName = "launcher"

// Launcher returns the rules of what starts the processes of a robot. Where there is a hub, it speaks for the robot.
func Launcher(robot string) []Rule {
	all := bus.Address{Robot: robot, Device: bus.Any}
	return slices.Concat([]Rule{
		{Publish, all.RPC(deviceService, bus.Any), "whether devices are well, and can be restarted"},
		{Subscribe, all.State(), "which devices there are"},
		{Subscribe, bus.AskRobots, "whether a hub asks for the robot"},
	}, speaking(bus.Address{Robot: robot, Device: LauncherName}, LauncherName),
		speaking(bus.Address{Robot: robot, Device: bus.RobotDevice}, bus.RobotDevice))
}

// speaking are the rules of what has a place on the bus beside the devices.
func speaking(a bus.Address, kind string) []Rule {
	return append([]Rule{
		{Publish, a.State(), "what it announces"},
		{Subscribe, calls(a), "calls of its methods"},
	}, discovery(kind)...)
}

// calls is the subject of all methods of a device.
func calls(a bus.Address) string { return strings.TrimSuffix(a.RPC("", ""), ".") + everything }
