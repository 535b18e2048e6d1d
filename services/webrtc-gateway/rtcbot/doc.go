// Package rtcbot serves the clients of RTCBot: its JavaScript module in a page, and its Python RTCConnection.
//
// A client POSTs one offer and gets one answer; nothing is negotiated later. Its data channel `default` is the topic
// `default` on the bus, and any other channel is the topic of its name, for programs, pages and other clients alike.
// Labels that begin with `waldo.` are those of package channels; a client that comes through a rendezvous server, with
// the guest token, is refused them, so it can neither call devices nor drive. The sections of the offer get the robot's
// cameras in order, and a microphone. What the client sends becomes the picture and sound of a device that accepts
// publishers, and is heard from a speaker, as what a person says on the page is.
//
// Messages are JSON, as package pkg/rtcbot describes.
//
// # Concurrency and shutdown
//
// A [Gateway] is safe for concurrent use and has no work of its own. A [Session] ends when its connection does, when
// the client closes `default`, or by [Session.Close], which returns when all its work has ended.
package rtcbot
