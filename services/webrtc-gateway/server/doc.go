// Package server is the gateway's HTTP face: the page, WHEP, the signalling WebSocket, snapshots, metrics.
//
//	GET    /                       the page and its modules
//	POST   /whep/{device}          WHEP: an offer for one device; PATCH trickles, DELETE ends
//	GET    /signal                 WebSocket, waldo.signaling.v1: one connection for many devices
//	GET    /picture/{device}       WebSocket: the video of one camera, where WebRTC finds no way
//	GET    /snapshot/{device}.jpg  one picture; width and height are optional
//	GET    /devices                all devices, as JSON
//	GET    /healthz                whether the gateway is well
//	GET    /metrics                for Prometheus
//
// Errors are plain text that says what is wrong and what to do, with a status code that fits.
//
// # Pictures over a WebSocket
//
// Each binary message is one picture: a header of 16 bytes and the encoded frame. The header is the version (1), flags (1: key frame), two
// bytes of zero, the number of the picture (32 bit, from 1), and the time of its capture (64 bit, Unix time in µs), in network byte order.
// Before the first picture, and whenever it changes, text names the codec as WebCodecs does: {"codec": "vp8"}. The parameter types of the
// address lists the media types that the far end can decode, for example types=video/VP8; without it any may come.
// The far end answers with text: {"got": 7} says that all pictures up to number 7 have left its decoder, {"keyFrame": true} that it cannot go
// on without a key frame. At most 6 pictures are on their way; what comes meanwhile is lost up to the next key frame once it is 0.5 s old.
//
// # Who may come in
//
// Without a token only loopback names are answered, and those of gateway.hosts (a page elsewhere that points its name at this machine
// gets nothing), and only pages of the gateway itself, or of an origin that is allowed by name, get more than the page and /healthz, not
// even a picture (Origin, Sec-Fetch-Site).
//
// With a token everything but /healthz and the page's modules wants it: `Authorization: Bearer …`, for a WebSocket of a page elsewhere
// the subprotocol `waldo-token.` with the token in base64url, or once `?token=…`, which a browser turns into a cookie. The cookie is not
// the token but a session, good for a week after the last visit and as long as the token stays the same. The address of a WHEP session is secret, and
// enough to change and end it. Wrong tokens are slowed down by address; a right one never waits.
//
// # Behind a reverse proxy
//
// A prefix that the proxy takes off the path survives: all that the page loads, redirects, Location and the cookie's path are relative. The
// proxy has to pass WebSockets on. X-Forwarded-Proto says whether the cookie is for https only; X-Forwarded-Host whether a request comes
// from the gateway's own page if the proxy has changed Host. No other header of proxies is trusted.
//
// Browsers send cookies to every port of a host. By https the cookie's name starts with __Secure-, so no http server can plant one; but other
// programs on the robot's host that the same browser visits do get it, and can use it here until it ends. Give a program you do not trust
// another host name, or a proxy with a prefix for each: the cookie stays in the folder of its page.
//
// Who may come in may look, listen, talk and drive alike; what may move is for the actuator's leases to say, and who talks is named at
// the speaker.
//
// # Shutdown
//
// [Server.Close] ends all sessions and returns when their goroutines have ended.
package server
