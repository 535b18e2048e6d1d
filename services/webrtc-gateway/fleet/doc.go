// Package fleet serves the robots at a hub, each by an instance of all that serves one robot.
//
// # Concepts
//
// [Instances] makes an instance when somebody asks for a robot, and closes it when nobody has been there for a while:
// no request is under way, and nobody is connected. While there is an instance it asks its robot once a second how it
// is. So a robot that cannot be reached is known to be away within a second if its link is closed, and within 3 s
// if the link is dead; the instance stays and goes on by itself when the robot is back. A robot that is away, and has
// no instance, gets none: callers are told that it is away.
//
// If the robot says something else about how it is driven than before, its instance is replaced, and its peers
// connect again.
//
// # Concurrency and shutdown
//
// Instances is safe for concurrent use. It owns two goroutines for each instance, which have ended when
// [Instances.Close] returns; so have the instances.
package fleet
