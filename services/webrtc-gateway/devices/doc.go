// Package devices is the gateway's view of the robot's devices: which ones exist, their streams, their pictures.
//
// A [Directory] follows the announcements of all devices on the bus. A device is known once it has announced itself, or
// because robot.yaml names it. It is marked as gone while it is silent, and stays known for the life of the gateway,
// unless it was stopped on purpose and robot.yaml does not name it: then it is forgotten after 10 s, as the slot of a
// program is. Everything keeps working, and waits, while a device or the bus is away.
//
// A Directory is safe for concurrent use. It owns two goroutines, which end with Close.
package devices
