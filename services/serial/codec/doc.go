// Package codec gives a board's messages their meaning: it translates between the bytes of a message,
// without the framing on the line (see package frame), and the messages of waldo.serial.v1, typed and as
// JSON.
//
// A [Reader] turns bytes into a SerialMessage, a [Writer] turns a WriteMessageRequest into bytes. There
// is one of each for lines, for raw bytes and for the struct formats of package pystruct, and a reader
// for NMEA 0183. Errors about messages to be written are of type [*MessageError] and name the field.
//
// All of them except the NMEA reader are immutable, and so safe for concurrent use; nothing needs
// closing.
package codec
