package permissions

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	fleetv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/fleet/v1"
	ingestv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ingest/v1"
	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	insta360v1 "github.com/waldo-robot/waldo/api/gen/go/waldo/insta360/v1"
	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	ptzv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/ptz/v1"
	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// apis are the files that define services of Waldo.
var apis = []protoreflect.FileDescriptor{
	audiov1.File_waldo_audio_v1_audio_proto, camerav1.File_waldo_camera_v1_camera_service_proto,
	controlv1.File_waldo_control_v1_control_service_proto, devicev1.File_waldo_device_v1_device_service_proto,
	fleetv1.File_waldo_fleet_v1_robot_proto,
	ingestv1.File_waldo_ingest_v1_ingest_proto, inputv1.File_waldo_input_v1_input_service_proto,
	insta360v1.File_waldo_insta360_v1_insta360_service_proto,
	launcherv1.File_waldo_launcher_v1_launcher_service_proto, peerv1.File_waldo_peer_v1_peer_proto,
	playerv1.File_waldo_player_v1_player_proto, ptzv1.File_waldo_ptz_v1_ptz_proto,
	recorderv1.File_waldo_recorder_v1_recorder_proto, serialv1.File_waldo_serial_v1_serial_service_proto,
}

// methods calls f with every method that is served on the bus, and with the role that it needs.
func methods(f func(service, method string, needs roles.Role)) {
	each(apis, func(service string, m protoreflect.MethodDescriptor) { f(service, string(m.Name()), roles.Needed(m)) })
}

// each calls f with every unary method that files define.
func each(files []protoreflect.FileDescriptor, f func(service string, m protoreflect.MethodDescriptor)) {
	for _, file := range files {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				if m := service.Methods().Get(j); !m.IsStreamingClient() && !m.IsStreamingServer() {
					f(string(service.FullName()), m)
				}
			}
		}
	}
}

// recorded are the files of [apis] with services of devices that a replay brings back.
var recorded = []protoreflect.FileDescriptor{
	audiov1.File_waldo_audio_v1_audio_proto, camerav1.File_waldo_camera_v1_camera_service_proto,
	controlv1.File_waldo_control_v1_control_service_proto, ingestv1.File_waldo_ingest_v1_ingest_proto,
	inputv1.File_waldo_input_v1_input_service_proto, insta360v1.File_waldo_insta360_v1_insta360_service_proto,
	peerv1.File_waldo_peer_v1_peer_proto, ptzv1.File_waldo_ptz_v1_ptz_proto,
	serialv1.File_waldo_serial_v1_serial_service_proto,
}

// telling are the methods of devices that do nothing but tell.
func telling(a bus.Address, why string) []Rule {
	var rules []Rule
	each(recorded, func(service string, m protoreflect.MethodDescriptor) {
		if roles.Tells(m) {
			rules = append(rules, Rule{Publish, a.RPC(service, string(m.Name())), why})
		}
	})
	return rules
}

// Role returns the rules of the owner of a token, besides those of an admin, who may do everything. An empty robot
// stands for all robots on the bus; the device is that of a service.
//
// They allow methods by name. The server does not know what a method of somebody else's kind needs, nor can the device
// tell who calls it over the bus, so these are left to gRPC and the gateway, which know both.
func Role(role roles.Role, robot, device string) []Rule {
	a := bus.Address{Robot: cmp.Or(robot, bus.Any), Device: bus.Any}
	if role == roles.Service {
		a.Device = device
		return actingAt(a)
	}
	var rules []Rule
	if role.Allows(roles.ReadStream) {
		rules = append(rules, watchingAt(a)...)
		rules = append(rules, Rule{Subscribe, bus.Topic(a.Robot, bus.Any), "messages of pages and programs"})
	}
	if role.Allows(roles.WriteTopic) {
		rules = append(rules, Rule{Publish, bus.Topic(a.Robot, bus.Any), "messages for pages and programs"})
	}
	if role.Allows(roles.WriteStream) {
		rules = append(rules, writingAt(a)...)
	}
	return append(rules, callingAt(a, role)...)
}

// actingAt are the rules of a service: those of a driver, at one device.
func actingAt(a bus.Address) []Rule {
	return slices.Concat(watchingAt(a), writingAt(a), callingAt(a, roles.Driver))
}

// watchingAt are the rules of who reads streams.
func watchingAt(a bus.Address) []Rule {
	const why = "what devices produce"
	return append(search(), Rule{Subscribe, a.Out(everything), why},
		Rule{Subscribe, a.Work(everything), "results of workers"}, Rule{Subscribe, a.State(), "which devices there are"},
		Rule{Publish, holdStream(a), why})
}

// writingAt are the rules of who sends to devices.
func writingAt(a bus.Address) []Rule {
	return []Rule{
		{Publish, a.In(everything), "what devices accept: sound, pictures, messages"},
		{Publish, a.Work(everything), "results of workers"},
	}
}

// callingAt are the methods that a role may call.
func callingAt(a bus.Address, role roles.Role) []Rule {
	var rules []Rule
	methods(func(service, method string, needs roles.Role) {
		if role.Allows(needs) {
			rules = append(rules, Rule{Publish, a.RPC(service, method), "a method for this role"})
		}
	})
	return rules
}

// refused are the methods that a role may not call.
func refused(a bus.Address, role roles.Role, why string) []Rule {
	var rules []Rule
	methods(func(service, method string, needs roles.Role) {
		if !role.Allows(needs) {
			rules = append(rules, Rule{Refuse, a.RPC(service, method), why})
		}
	})
	return rules
}
