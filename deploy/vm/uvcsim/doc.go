// Package uvcsim simulates a USB webcam, for tests of everything above the USB cable.
//
// A [Camera] speaks USB/IP to the kernel of the machine it runs on: [Camera.Attach] plugs it into a port of the
// virtual host controller vhci-hcd. The kernel enumerates it like a real webcam, and its uvcvideo driver binds: a
// /dev/videoN appears that delivers Motion JPEG, with USB ids, a serial number, and a brightness control.
// [Plugged.Unplug] pulls the cable at any moment.
//
// The camera is a UVC 1.1 device with one bulk endpoint, at high speed. It offers [Sizes] at 30, 15, and 10 frames per
// second.
//
// # Pictures
//
// Every picture moves and can be checked. A JPEG comment carries its number and a checksum of all the following data,
// so that [Check] proves that a picture arrived byte for byte as it was sent. A bright bar stands at a position that
// follows from the number, so that the eye (and [BarPosition]) sees it move even after decoding and encoding.
//
// # Concurrency and shutdown
//
// A Camera can be plugged in once at a time, and again after it was unplugged: settings start as after power-on,
// picture numbers continue. [Camera.Serve] runs two goroutines and returns when both have ended: when the connection
// breaks, or after Unplug. All methods may be called from any goroutine.
//
// # Terms
//
// A URB is one transfer request of the host. Probe and commit are the two steps in which a UVC host and camera agree
// on a format: probe is the bargaining, commit the handshake.
package uvcsim
