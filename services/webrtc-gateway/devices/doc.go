// Package devices is the gateway's view of the robot's devices: who is there, their streams, their pictures.
//
// A [Directory] listens to what all devices say of themselves on the bus. A device is known once it was heard of, or because
// robot.yaml names it; it stays known for the life of the gateway, and is gone while it is silent. Everything works, and waits,
// while a device or the bus is away.
//
// A Directory is safe for concurrent use. It owns two goroutines, which end with Close.
package devices
