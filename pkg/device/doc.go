// Package device turns a driver of a few lines into a device: a process with a gRPC API, a place on the bus, a state
// that everybody can see, metrics, and a clean end.
//
// # What you write
//
// A [Kind] names the sort of device, its configuration and how to make a [Driver]. The driver has one method, Run: open
// the hardware, say ready, work until the context ends or the hardware goes. [Main] does the rest:
//
//	func main() {
//		device.Main(device.Kind[Config]{Name: "thermometer", Version: "1.0.0", Defaults: Config{Every: time.Second}, New: open})
//	}
//
// New gets a [Kit] through which the driver meets the world: [Kit.RegisterService] for its gRPC service (unary methods
// are served on the bus as well), [NewOut] for a stream it produces, [NewIn] for one it accepts, [Kit.SetAttributes]
// for what the hardware reports about itself, a logger, a metrics registry.
//
// # What the kit promises
//
//   - Run is called again whenever it returns, at first after 100 ms, then more slowly up to 800 ms. In between the
//     device is AWAY, with the error as the reason, and its health is NOT_SERVING. The process does not end because
//     hardware is missing.
//   - The state is announced on the bus at start, on every change and once a second; once a device is announced it can
//     be called.
//   - A second process of the same robot and name on the bus is noticed after about 3 s: both say so in their log and
//     state, and an actuator grants no lease until one of them has gone. A restart is not taken for one.
//   - The same unary calls, errors and state on gRPC and on the bus; see package bus for what happens while the bus is
//     away.
//   - With a token configured, every call must present it, also health and reflection. A panic in a call is
//     codes.Internal for its caller and nothing to the others. Metrics and profiles are served on loopback only.
//   - The device describes itself: it serves the definitions of its services and of the messages of its streams, made
//     from their generated code, so pages, waldo and other programs use them without having been built with them.
//     Whoever may use the robot's page can call its unary methods: one that moves something asks for a lease (package
//     actuator).
//   - An [Out] publishes on the bus only while somebody holds it. [Out.WhileHeld] runs work only then.
//   - Another process of the same program can take over ([Kind.Beside] says how): its first message on a stream follows
//     the last one of this process, calls find one of the two, and if either ends on the way the other one serves. Streams
//     whose messages depend on one another say how to ask for one to begin with ([OutOptions].Begin); what callers have
//     changed lives on with [Kit.Keep]. [Kit.BeforeRestart] says what that, or a restart, would disturb.
//   - SIGINT or SIGTERM: the state becomes STOPPING, the context of Run ends, calls under way get a second to finish,
//     and the process is gone within 2 s, even if the driver hangs. A second signal ends it at once.
//   - The process ends with one of the codes [ExitStopped], [ExitConfiguration], [ExitAddress], [ExitSuccession].
//   - Under systemd the process says when it serves, its state and the reason, and feeds the watchdog of its unit with what
//     proves life: answers over gRPC, and turns of the driver's loops ([Kit.Loop]) that end. The launcher asks the same.
//
// # Configuration
//
// The fields of the configuration struct with a yaml tag are the keys of the device in robot.yaml, environment
// variables (WALDO_WIDTH) and flags (--width), in rising order of precedence. Unknown keys are errors. A method
// Validate() error on the struct is called at the end. The kit's own settings are in [Settings].
//
// # Testing
//
// [Start] runs the same device inside a test, without flags, signals or os.Exit.
package device
