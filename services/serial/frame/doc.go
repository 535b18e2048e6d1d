// Package frame finds messages in the bytes of a serial line.
//
// A [Splitter] is fed the bytes read, in pieces of any size, and hands out complete messages. There is
// one for each way of marking the end of a message: [Lines] by a delimiter, [Sentences] by NMEA's
// checksum, [Chunks] not at all, [Blocks] by a fixed size, with aids to find the beginning again after a
// lost byte: a start byte, a checksum, a pause.
//
// Whatever the input, a splitter keeps at most one message and never hands out more than it was fed;
// bytes that belong to no message are counted by reason. Splitters are not safe for concurrent use and
// own nothing that needs closing.
package frame
