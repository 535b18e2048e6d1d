// Package recording says what a recording of a robot is: an MCAP file that holds the messages of the robot's bus byte
// for byte, and everything that is needed to read them.
//
// # Channels
//
// A [Channel] is one stream of one device: what it produced, what it was sent, or its states. The channel's name in the
// file (its topic) is for people: /front/video, /voice/in/speaker, /front for the states of the device front, /msg/chat
// for messages between pages and programs. Programs go by the metadata waldo.device, waldo.kind, waldo.stream and
// waldo.type. The schema is the FileDescriptorSet of the message's type, as the device described it.
//
// # Pictures and sound in other programs
//
// Programs such as Foxglove show messages whose schema is called foxglove.CompressedVideo and has certain fields. A
// picture is not stored twice for them: [Channel.Encode] appends two fields to a VideoFrame, which protobuf readers of
// Waldo ignore, and the schema of the channel describes the result under that name. [Channel.Original] cuts them off
// again. JPEG pictures and Opus packets are treated likewise.
//
// # Marks
//
// What is to be found again is a message of the type waldo.recorder.v1.Mark, as the device recorder says them on its
// stream marks. They are found by the index of a file, without reading the rest (package folder).
//
// # What devices say of themselves
//
// Attachments descriptors/NAME have the definitions of the services and messages of a device, as it gave them
// (waldo.device.v1.GetDescriptorsResponse), answers/NAME what it answered when it was asked (package answers). There
// are several of a device that became another one while it was recorded.
//
// # Times
//
// The log time of a message is when it reached the recorder: the wall clock at the start of the file plus what a
// monotonic clock has measured since, so it never goes back within a file. The publish time is when its content was
// captured, if the message says so, by the clock of the device's machine.
//
// # Concurrency and shutdown
//
// Everything here is plain data: nothing starts a goroutine, and nothing needs closing.
package recording
