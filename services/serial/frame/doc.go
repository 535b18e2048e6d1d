// Package frame finds messages in the bytes of a serial line.
//
// A [Splitter] is fed whatever has been read, in pieces of any size, and hands out whole messages. There is one for each way of telling where
// a message ends: [Lines] by a delimiter, [Sentences] by NMEA's checksum, [Chunks] not at all, [Blocks] by a fixed size, with whatever helps to find the beginning again after
// a byte was lost: a start byte, a checksum, a pause.
//
// Whatever comes, a splitter keeps no more than one message and hands out no more than was fed; what belongs to no message is counted by the
// reason. Splitters are not safe for concurrent use and own nothing that needs closing.
package frame
