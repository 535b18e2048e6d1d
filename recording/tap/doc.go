// Package tap reads what passes on a robot's bus as it is, for those who keep it or show it: a recorder, Foxglove.
//
// # Concepts
//
// A [Tap] follows which devices there are, and asks each for its definitions once in each of its lives. [Tap.Streams]
// are the streams that can be read: what devices produce (out), what they are sent (in), and their states. [Tap.Open]
// reads one; [Tap.OpenTopics] reads the messages between pages and programs. A [Message] has the bytes that were on the
// bus, and the [recording.Channel] that defines them: the same pointer for as long as nothing about it changes, so a
// reader can use it as a key. A device that has restarted with other definitions, or goes over to another media type,
// has a new one.
//
// A stream that a device produces is held while it is open, so that it flows. That adds nothing to what somebody
// watches anyway, which is encoded once. What a device is sent, and its states, are only listened to.
//
// # What may be lost
//
// Each open stream has a queue with the [stream.Policy] of its reader; [Opened.Lost] counts what that has cost.
// Messages of a new life of a device wait there for its definitions, for 2 s at most. What is of another type than the
// device says, or of a life that is not known, is left out: it is counted by [Opened.Unreadable], and logged once.
//
// # Concurrency and shutdown
//
// A Tap is safe for concurrent use. Each open stream has a goroutine, which hands its messages over in their order;
// [Opened.Close] waits for it, so it must not be called by the function that gets the messages. [Tap.Close] ends what
// the tap has started, open streams included.
package tap
