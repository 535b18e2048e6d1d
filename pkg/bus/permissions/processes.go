package permissions

import "github.com/waldo-robot/waldo/pkg/robot"

// GatewayName is the name of the gateway among the processes of a robot.
const GatewayName = "gateway"

// Processes returns what each process of a robot that has a key of its own may do, by its name: of devices those that
// are [Confined], the gateway, and the launcher.
func Processes(r *robot.Robot) map[string]Permissions {
	all := map[string]Permissions{
		GatewayName: Of(Gateway(r.Name), false), LauncherName: Of(Launcher(r.Name), true),
	}
	for i := range r.Devices {
		if d := &r.Devices[i]; Confined(d) {
			all[d.Name] = Of(Device(r, d), true)
		}
	}
	return all
}
