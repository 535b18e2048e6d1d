// Package dynamic reads and calls devices of every kind over the bus, also those whose protobuf definitions the
// program was not built with.
//
// [Devices] asks a device for its definitions (DeviceService.GetDescriptors) when it first needs them, and keeps them
// for as long as the device lives: every message names the epoch of its device, and every call the epoch that it was
// made for, so a device that has restarted, perhaps as another version, is asked again. Each device has definitions
// of its own, and nothing is ever added to the types of the program.
//
// What is kept is bounded: 64 devices and 16 MiB of definitions; those that have not been used for longest are
// forgotten, and asked for again when they are needed.
//
// # What cannot be read
//
// A message whose type is not defined, or whose device does not answer, is counted (waldo_bus_unreadable_total),
// logged once for each device and type, and reported to its reader by an [Unreadable] error of [Messages.Next], once
// for each type and reason. The reader may go on.
//
// # Concurrency and shutdown
//
// Devices is safe for concurrent use, starts no goroutines and need not be closed. Messages are for one reader, and
// are closed by it.
package dynamic
