// Package codec is what a board's messages mean: between the bytes of a message, without what surrounds it on the line (package frame does
// that), and the messages of waldo.serial.v1, with types and as JSON.
//
// A [Reader] makes a SerialMessage of bytes, a [Writer] bytes of a WriteMessageRequest. There is one of each for lines, for raw bytes and for the
// struct formats of package pystruct, and a reader for NMEA 0183. Errors about what somebody wants to write are of type [*MessageError] and name
// the field.
//
// All of them are immutable, but the reader of NMEA, and safe for concurrent use by as many; nothing needs closing.
package codec
