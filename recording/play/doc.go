// Package play gives the messages of a recording at their times, under a player that can pause, jump and change its
// speed.
//
// # Concepts
//
// A player says where it is by a [Clock]: a place in the recording, the time at which it was there, and how fast it
// goes. All processes of a machine share the time (package boottime), so each of them knows by itself what comes when.
// A [Follower] has the newest clock of a player on the bus. While the player is away its last clock holds: what plays
// goes on.
//
// A [Recording] is one file, or the several files of a recording that was split. [Run] gives its messages to a [Sink]:
// each when the clock comes to its log time, in the order of the recording.
//
// # Jumps
//
// After a jump of the clock, and at the beginning, a sink gets first what it takes to show the place: the pictures from
// the last key frame on, and of other streams the last message before the place ([Start] says which). These messages
// are marked ([Message.Ahead]), come as fast as the sink takes them, and end with [Sink.Settled]. Whatever comes after
// [Sink.Jump] does not continue what came before it, so a device begins a new epoch there ([Epochs]).
//
// A sink that is more than a second late, because it was stopped or is too slow, is not given everything that it
// missed: it goes on as after a jump.
//
// # Damage
//
// Chunks that cannot be read are left out; [Recording.Problem] tells of files that have no index, or end in the middle.
//
// # Concurrency and shutdown
//
// A Recording and a Follower may be used concurrently, and are closed once. Run calls its sink from the goroutine that
// called it; a goroutine that reads ahead ends before it returns.
package play
