// Package drives tells who drove a robot, with which commands, and what they had seen, from its audit logs and its
// recordings.
//
// # Concepts
//
// A [Drive] is a time in which somebody held the lease of a device. The audit log of the device says who, from where,
// and how it ended, and which e-stops were pressed; a recording that has the device's stream `commands` says what
// became of each command ([Tally], [Book.Commands]). A drive that only one of the two knows is told with what is known,
// and [Book.Missing] says what is not.
//
// What belongs to a drive is found by the life of the device's process (its epoch) and the number of the lease in it,
// which both name; commands of those who held no lease, and e-stops, by their time or their place in the log. An e-stop
// within two seconds after the end of a drive belongs to it, unless somebody has driven since. Drives of one device are
// in the order of its log, also where a clock has jumped; those of several devices are merged by their begin.
//
// # Pictures
//
// A command names the capture time of the newest picture that its driver had seen. [Command.Frame] is the picture of
// the recording, of the camera that drivers must see, whose capture time is within a millisecond of that.
//
// # Bounds
//
// Memory grows with the number of drives, of which [MaxDrives] are told, not with that of their commands.
//
// # Concurrency and shutdown
//
// A Book is for one goroutine. It keeps no file open.
package drives
