// Package uplink is the device kind "uplink": it sends what the devices of a robot stream to the robot's hub, while
// somebody there holds it, and brings what people at the hub send to the streams that devices accept.
//
// # Why it is apart
//
// Calls cross the link to the hub on a connection of the bus, the leaf (package embedded), which queues without a
// bound. Pictures there would delay every call once the link is full, by seconds. So pictures never cross the leaf:
// this process has a connection of its own, which carries no more than the link does at the moment (package pace), and
// loses what has waited too long before it is sent (package outbox). If it dies, calls and states go on.
//
// # What it learns and how
//
// A hold at the hub reaches the device over the leaf. The uplink subscribes to the same calls at the hub, one
// subscription for each device, so it hears them, and forwards the stream until the last hold has ended. Nothing of
// what devices stream is sent before that. The calls of readers on the robot do not cross the leaf, so they start
// nothing here.
//
// # When the link is full
//
// A stream loses everything up to the next key frame, which is asked of the camera once there is room for it again. The
// camera is asked to stay below what the link carries (LimitBitrate). Messages larger than a few KiB are sent in parts,
// and the state of what moves, sound and readings go between them.
//
// # Concurrency and shutdown
//
// Everything belongs to one connection to the hub: a goroutine that sends, one that follows which devices there are,
// one or more for each device and each stream that is read. When the connection is lost or the kit ends the driver, all
// of them end, what waits in the outbox is dropped, and the run returns after the last one; the kit starts the next.
// Nothing but the metrics is kept from one connection to the next: the holds are renewed within a second.
package uplink
