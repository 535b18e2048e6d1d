// Package wire is the private protocol of Insta360 cameras: packets over TCP, and the messages in them.
//
// A packet is its length (32 bits, little endian, including itself) and a payload, of which the first three bytes name
// the kind:
//
//	06 00 00  "syNceNdinS"                                        synchronisation, which the camera sends back
//	05 00 00                                                      keepalive
//	04 00 00  code (16) 02 sequence (24) 80 00 00  protobuf       message
//	01 00 00  type (8) time (64)  data                            stream: pictures, samples of the gyroscope
//
// All numbers are little endian. Whether a message is an answer depends on its code alone: commands, which we send,
// have small ones, answers have those of HTTP ([OK], [Failed]) and the sequence number of the command, and
// notifications have 8192 and more with any sequence number. The last two bytes before the protobuf vary in answers and
// mean nothing.
//
// The numbers were taken from descriptions of the protocol, and no generated code is needed for a dozen small messages:
// they are read and written field by field. Fields that are missing, of another type or unknown are no error, since
// models differ.
//
// # Concurrency
//
// A [Reader] belongs to one goroutine. Everything else may be used by any.
package wire
