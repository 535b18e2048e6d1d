package permissions

import (
	"cmp"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// The streams that kinds of ours read of other devices.
const (
	captures = "captures" // of the camera that drivers must see
	reports  = "rx"       // of the board that a simulated camera follows
)

// kinds are those that belong to Waldo, with what each needs of others as robot.yaml says. Those of the user's own are
// not here.
var kinds = map[string]func(r *robot.Robot, d *robot.Device) []Rule{
	"audio":       nothing,
	"camera":      follows,
	"input":       nothing,
	"peer":        talks,
	"player":      plays,
	"recorder":    records,
	"replay":      replays,
	"rtsp-ingest": sees("ptz.see"),
	"serial":      sees("control.see"),
	"uplink":      forwards,
}

// Confined reports whether the device has a key of its own on the bus: it is of a kind that belongs to Waldo, or
// robot.yaml says what it may do.
func Confined(d *robot.Device) bool { return kinds[d.Kind] != nil || d.May != nil }

// Unconfined lists the devices of a robot that have no key of their own, and so may do everything.
func Unconfined(r *robot.Robot) (names []string) {
	for i := range r.Devices {
		if d := &r.Devices[i]; !Confined(d) {
			names = append(names, d.Name)
		}
	}
	return names
}

// Device returns the rules of a device of a robot, as its robot.yaml says.
func Device(r *robot.Robot, d *robot.Device) []Rule {
	rules := own(bus.Address{Robot: r.Name, Device: d.Name}, d.Kind)
	if needs := kinds[d.Kind]; needs != nil {
		rules = append(rules, needs(r, d)...)
	} else {
		rules = append(rules, sees("")(r, d)...)
	}
	return append(rules, granted(r.Name, d.May)...)
}

// Slot returns the rules of a device that is not in robot.yaml: one that a program has had the launcher open.
func Slot(robotName, name, kind string) []Rule {
	return own(bus.Address{Robot: robotName, Device: name}, kind)
}

// own are the rules that every device has.
func own(a bus.Address, kind string) []Rule {
	return append([]Rule{
		{Publish, a.Out(everything), "its streams"},
		{Publish, a.Work(everything), "results, if it works on its own frames"},
		{Publish, a.State(), "its state"},
		{Subscribe, a.State(), "whether another process has its name"},
		{Subscribe, a.In(everything), "what is sent to it"},
		{Subscribe, calls(a), "calls of its methods"},
	}, discovery(kind)...)
}

func nothing(*robot.Robot, *robot.Device) []Rule { return nil }

// sees has an actuator read when the camera took pictures that its driver must see. The key is that of the device.
func sees(key string) func(*robot.Robot, *robot.Device) []Rule {
	return func(r *robot.Robot, d *robot.Device) []Rule {
		camera := ""
		if key != "" {
			camera = d.Text(key)
		}
		if r.Drive.Text("device") == d.Name {
			camera = cmp.Or(r.Drive.Text("see"), camera)
		}
		if !isDevice(r, camera) {
			return nil
		}
		return reading(bus.Address{Robot: r.Name, Device: camera}, captures,
			"when the driver's pictures were captured (`see:`)")
	}
}

// follows has a simulated camera read where the rover is.
func follows(r *robot.Robot, d *robot.Device) []Rule {
	const defaultFollow = "motors"
	board := cmp.Or(d.Text("follow"), defaultFollow)
	if d.Text("source") != "sim" || !isDevice(r, board) {
		return nil
	}
	return reading(bus.Address{Robot: r.Name, Device: board}, reports, "where the simulated rover is (`follow:`)")
}

// talks has a slot that calls a robot exchange its messages.
func talks(r *robot.Robot, d *robot.Device) []Rule {
	const defaultTopic = "default"
	topic := cmp.Or(d.Text("topic"), defaultTopic)
	if !d.Has("call") || bus.CheckTopic(topic) != nil {
		return nil
	}
	return topics(r.Name, topic, "messages of the robot that is called (`call:`, `topic:`)")
}

// forwards has the uplink carry what devices produce to people at the hub, and what these say to devices.
func forwards(r *robot.Robot, _ *robot.Device) []Rule {
	all := bus.Address{Robot: r.Name, Device: bus.Any}
	const camera, why = "waldo.camera.v1.CameraService", "pictures that the way to the hub can carry"
	return append(reading(all, everything, "what somebody at the hub reads"),
		Rule{Publish, all.In(everything), "what people at the hub say"},
		Rule{Publish, all.RPC(camera, "RequestKeyFrame"), why}, Rule{Publish, all.RPC(camera, "LimitBitrate"), why})
}

// records has a recorder read everything that passes on the bus, ask devices what they tell of themselves, and cameras
// for key frames.
func records(r *robot.Robot, _ *robot.Device) []Rule {
	all := bus.Address{Robot: r.Name, Device: bus.Any}
	const why, keys = "what it records", "key frames, with which recordings can begin and be sought"
	rules := append(reading(all, everything, why),
		Rule{Subscribe, all.In(everything), why}, Rule{Subscribe, bus.Topic(r.Name, bus.Any), why},
		Rule{Publish, all.RPC(deviceService, "GetDevice"), "what defines it"},
		Rule{Publish, all.RPC(deviceService, "GetDescriptors"), "what defines it"},
		Rule{Publish, all.RPC("waldo.camera.v1.CameraService", "RequestKeyFrame"), keys})
	return append(rules, telling(all, "what devices tell of themselves, so that a replay can answer the same")...)
}

// plays has a player say again what pages and programs said to each other.
func plays(r *robot.Robot, _ *robot.Device) []Rule {
	return []Rule{{Publish, bus.Topic(r.Name, bus.Any), "messages of the recording"}}
}

// replays has a device that is replayed follow the player, and be found as what it was.
func replays(r *robot.Robot, d *robot.Device) []Rule {
	const defaultPlayer, why = "player", "where the player is (`player:`)"
	rules := append(discovery(bus.Any), Rule{Publish, bus.Address{Robot: r.Name, Device: d.Name}.RPC(
		"waldo.device.v1.DeviceService", "GetDevice"), "whether its name is that of a device that is there"})
	player := cmp.Or(d.Text("player"), defaultPlayer)
	if !isDevice(r, player) {
		return rules
	}
	a := bus.Address{Robot: r.Name, Device: player}
	return append(append(rules, reading(a, "player", why)...),
		Rule{Publish, a.RPC("waldo.player.v1.PlayerService", "GetPlayer"), why})
}

// granted are the rules that follow from the key `may:`.
func granted(robotName string, may *robot.May) []Rule {
	if may == nil {
		return nil
	}
	const why = "`may:` of the device"
	var rules []Rule
	for _, one := range may.Read {
		device, stream := part(one)
		rules = append(rules, reading(bus.Address{Robot: robotName, Device: device}, stream, why)...)
	}
	for _, one := range may.Write {
		device, stream := part(one)
		rules = append(rules, Rule{Publish, bus.Address{Robot: robotName, Device: device}.In(stream), why})
	}
	for _, device := range may.Call {
		rules = append(rules, Rule{Publish, calls(bus.Address{Robot: robotName, Device: device}), why})
		rules = append(rules, refused(bus.Address{Robot: robotName, Device: device}, roles.Driver, why)...)
	}
	for _, topic := range may.Topics {
		rules = append(rules, topics(robotName, topic, why)...)
	}
	return rules
}

// part takes `front/video` apart; `front` stands for all of its streams.
func part(name string) (device, stream string) {
	device, stream, one := strings.Cut(name, "/")
	if !one {
		stream = everything
	}
	return device, stream
}

func topics(robotName, topic, why string) []Rule {
	subject := bus.Topic(robotName, topic)
	return []Rule{{Publish, subject, why}, {Subscribe, subject, why}}
}

// isDevice keeps invalid names out of subjects; the device itself reports them.
func isDevice(r *robot.Robot, name string) bool {
	return slices.ContainsFunc(r.Devices, func(d robot.Device) bool { return d.Name == name })
}
