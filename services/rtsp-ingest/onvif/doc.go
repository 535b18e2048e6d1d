// Package onvif finds cameras on the network, asks them for their streams, and moves those that can turn, by ONVIF.
//
// [Discover] asks every network that the machine is on who is a camera, by WS-Discovery. A [Client] then talks to one
// camera: SOAP 1.2 over HTTP.
//
// # What is believed
//
// What answers is not known to be a camera, nor to be honest:
//
//   - An answer speaks only for the address that it came from, which must be a private, link-local or loopback one.
//   - Of the URLs that a camera returns, path and query are taken, for a stream its port too. The host and the login
//     are those that the caller gave; cameras behind a router return addresses that nobody reaches. There are no
//     redirects.
//   - Answers, and everything in them, are bounded in size and number. XML is read by local names, since cameras agree
//     on no prefixes.
//   - A password is sent only as a digest, unless the connection is encrypted.
//
// # Login
//
// A WS-UsernameToken goes with every request but the one for the time. Its time is that of the camera's clock, which is
// asked for at first, and again when the camera refuses a token: its clock may have been set. If the camera answers
// with status 401, HTTP Digest is sent beside it.
//
// # Concurrency and shutdown
//
// Everything is safe for concurrent use. Calls end with their context, or after Config.Limit. Close ends the
// connections that a Client keeps. Nothing runs outside of a call.
package onvif
