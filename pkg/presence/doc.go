// Package presence is about who is there: the devices of a robot, and the robots at a hub.
//
// # Concepts
//
//   - [Devices] follows the announcements of all devices of one robot on the bus. A device is known once it has
//     announced itself, or because it is expected. One that is silent for 2 s is gone, and stays known, unless it was
//     stopped on purpose and is not expected: then it is forgotten after 10 s.
//   - An [Announcer] tells a hub about its robot. It belongs into the process that connects the robot to the hub, so a
//     robot that can be heard of can be reached. It follows the robot's devices, publishes a short description of the
//     robot (waldo.fleet.v1.RobotState) when that changes, every 10 s, and when somebody asks, and answers
//     RobotService.
//   - [Robots] follows what the announcers of all robots at a hub say. It asks when it begins, so that it knows all
//     robots within a moment. A robot is away when its announcer has said goodbye, or has been silent for 25 s, or for
//     7 s while somebody wants to know ([Robots.Watch]), or as soon as a call finds that nobody is there
//     ([Robots.Unreachable]).
//
// One subscription is enough for any number of robots: nothing here needs one for each device or robot.
//
// # Bounds
//
// A robot has at most 1,000 devices and tells of 256; a hub has at most 10,000 robots. What is said about a robot
// counts only on its own subject, so a robot cannot speak for another where the server keeps robots to their subjects.
// What is too large or cannot be is ignored and logged at the level debug.
//
// # Concurrency and shutdown
//
// Everything is safe for concurrent use. Lists are never changed, only replaced, and must not be changed by readers.
// Each type owns two or three goroutines, which have ended when its Close returns.
package presence
