// Package uvcsim is a USB webcam made of software, for tests of everything above the USB cable.
//
// A [Camera] speaks USB/IP to the kernel of the machine it runs on: [Camera.Attach] plugs it into a port of the virtual
// host controller vhci-hcd. The kernel then enumerates it as it would a real one and its own uvcvideo driver binds:
// there is a /dev/videoN that delivers motion JPEG, with USB ids, a serial number and a brightness control.
// [Plugged.Unplug] pulls the cable, at any moment.
//
// The camera is a UVC 1.1 device with one bulk endpoint, at high speed. It offers [Sizes] at 30, 15 and 10 frames per
// second.
//
// # Pictures
//
// Every picture moves and can be checked. It carries its number and a checksum of all that follows in a JPEG comment,
// so that [Check] proves that a picture arrived as it was sent, byte for byte; and a bright bar whose place follows
// from the number, so that the eye (and [BarPosition]) sees it move even after someone has decoded and encoded it
// again.
//
// # Concurrency and shutdown
//
// One Camera can be plugged in once at a time, and again after it was unplugged: settings are as after power-on,
// picture numbers go on. [Camera.Serve] runs two goroutines and returns when both have ended: when the connection
// breaks, or after Unplug. All methods may be called from any goroutine.
//
// # Words
//
// A URB is one request of the host for a transfer. Probe and commit are the two steps in which a UVC host and camera
// agree on a format: probe is the bargaining, commit the handshake.
package uvcsim
