// Package server is the gateway's HTTP face: the page, WHEP, the signalling WebSocket, snapshots, metrics.
//
//	GET    /                       the page and its modules
//	POST   /whep/{device}          WHEP: an offer for one device; PATCH trickles, DELETE ends
//	GET    /signal                 WebSocket, waldo.signaling.v1: one connection for many devices
//	GET    /snapshot/{device}.jpg  one picture; width and height are optional
//	GET    /devices                all devices, as JSON
//	GET    /healthz                whether the gateway is well
//	GET    /metrics                for Prometheus
//
// Errors are plain text that says what is wrong and what to do, with a status code that fits.
//
// # Who may come in
//
// Without a token only loopback names are answered (a page elsewhere that points its name at this machine gets nothing), and
// only pages of the gateway itself, or of an origin that is allowed by name, get more than the page and /healthz, not even a picture
// (Origin, Sec-Fetch-Site). With a token everything
// but /healthz wants it: `Authorization: Bearer …`, or once `?token=…`, which a browser turns into a cookie.
//
// Who may come in may look, listen, talk and drive alike; what may move is for the actuator's leases to say, and who talks is named at
// the speaker.
//
// # Shutdown
//
// [Server.Close] ends all sessions and returns when their goroutines have ended.
package server
