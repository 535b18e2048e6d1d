// Package rtcbot serves the clients of RTCBot: its JavaScript module in a page, and its Python RTCConnection.
//
// A client POSTs one offer and gets one answer; nothing is negotiated later. Its data channel `default` is the topic
// `default` on the bus, and any other channel is the topic of its name, for programs, pages and other clients alike.
// Labels that begin with `waldo.` are those of package channels. The sections of the offer get the robot's cameras in
// order, and a microphone. What the client sends becomes the picture and sound of a device that accepts publishers, and
// is heard from a speaker, as what a person says on the page is.
//
// # JSON
//
// By convention, messages on a topic are JSON. RTCBot's Python side writes everything as JSON, and reads text that is
// not JSON as a string; its JavaScript side sends strings as they are, and everything else as JSON, and gives its
// program the text as it came. So what a client sends is made JSON if it is none: text becomes a string, and the numbers
// that only Python writes (NaN, Infinity) become null, as they do in JavaScript. What a client gets is always JSON, so
// that Python gets the value that was sent. For pages whose programs expect strings as they are, there is an option.
// Bytes stay bytes.
//
// # Concurrency and shutdown
//
// A [Gateway] is safe for concurrent use and has no work of its own. A [Session] ends when its connection does, when the
// client closes `default`, or by [Session.Close], which returns when all its work has ended.
package rtcbot
