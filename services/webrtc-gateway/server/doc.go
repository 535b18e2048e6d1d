// Package server is the gateway's HTTP side: the page, WHEP and WHIP, the signalling WebSocket, snapshots, metrics.
//
//	GET    /                       the page and its modules
//	POST   /whep/{device}          WHEP: an offer for one device; PATCH trickles or restarts ICE, DELETE ends
//	POST   /whip/{device}          WHIP: an offer that sends to a device; ?take, ?name=; PATCH and DELETE as WHEP
//	POST   /connect                an offer of a client of RTCBot, in JSON; ?raw=1, see package rtcbot
//	GET    /ws/{topic}             WebSocket: the messages of a topic in JSON, as RTCBot's Websocket has them
//	GET    /signal                 WebSocket, waldo.signaling.v1: one connection for many devices
//	GET    /picture/{device}       WebSocket: the video of one camera, where WebRTC does not connect
//	GET    /foxglove               WebSocket: Foxglove's protocol, see package foxglove; to browsers a page with an address
//	GET    /snapshot/{device}.jpg  one picture; width and height are optional
//	GET    /recordings             the page of the recordings; below it their files, and pieces of them to play
//	GET    /devices                all devices, as JSON
//	GET    /healthz                whether the gateway is healthy
//	GET    /metrics                for Prometheus
//
// A connection ends with its last session: a WebSocket, or its channel waldo.session. When a WebSocket is lost instead
// of closed, or closed with the code 4001, the connection waits 8 s for another session to continue it
// (Offer.connection).
//
// Errors are plain text that names the problem and the fix, with a fitting status code.
//
// # What peers show
//
// Once a second a session gets what is known of the path to its peer (Path): while pictures are sent, and while it has
// no connection. A peer that gets it may answer with what it has shown since the last time (Shown), which becomes
// metrics of package viewing; gateways that send no Path do not know Shown, and end sessions that send it.
//
// # Pictures over a WebSocket
//
// Each binary message is one picture: a 16-byte header and the encoded frame. The header is the version (1), flags
// (1: key frame), two zero bytes, the number of the picture (32 bits, from 1), and its capture time (64 bits, Unix time
// in µs), in network byte order. Before the first picture, and whenever it changes, a text message names the codec as
// WebCodecs does: {"codec": "vp8"}. The query parameter types lists the media types that the client can decode, for
// example types=video/VP8; without it any may be sent.
// The client answers with text: {"got": 7} means that all pictures up to number 7 have left its decoder,
// {"keyFrame": true} that it needs a key frame to continue. At most 6 pictures are in flight; a picture that has waited
// 0.5 s is dropped, with all that follow it up to the next key frame.
//
// # Access
//
// Without a token, the gateway answers only to loopback names and those of gateway.hosts, so a page elsewhere that
// points its own name at this machine gets nothing. Only the gateway's own pages, or pages of an origin that is allowed
// by name, get more than the page and /healthz, not even a picture (Origin, Sec-Fetch-Site).
//
// With a token, everything but /healthz and the page's modules requires one whose role is enough for the route
// ([Routes]): as `Authorization: Bearer …`, as the password of `Authorization: Basic …`, for a WebSocket of a page
// elsewhere as the subprotocol `waldo-token.` with the token in base64url, or once as `?token=…`, which a browser
// exchanges for a cookie. The cookie is not the token but a session, valid for a week after the last visit and for as
// long as the token is, see [Logins]. What is open ends with its token: a session with the code 4003. The address of a
// WHEP or WHIP session is secret, and suffices to change and end it. Wrong tokens are slowed down per address; a
// correct one never waits. A request may present two tokens: those after the second do not count.
//
// A program that can be given nothing but an address gets a pass in it: /foxglove shows one to who may look. It is good
// for that route of that robot and for 12 h, to connect as often as needed, and ends with the token or the login that
// it was made with. A request with a pass may come from a page of any origin.
//
// # Through a rendezvous server
//
// [Remote] marks requests that come through the tunnel of a rendezvous server. That server can read and change them,
// and make some of its own, so nothing counts there that it could use itself: neither the token nor a cookie. Pages of
// all origins may ask, as nothing counts that a browser adds on its own. Everybody gets the page and /healthz. At
// /signal a peer proves that it knows the token, with a single offer for the channel waldo.session, on which all else
// is out of the server's reach; the robot signs the answer. Sessions without a proof are few and last 15 s. WHEP, WHIP
// and /connect need the guest token, which the server sees and which opens nothing else; answers carry the robot's key
// and signature in the headers Waldo-Key and Waldo-Signature, for clients that check them. All else is refused.
//
// # Behind a reverse proxy
//
// The proxy may strip a prefix from the path: everything the page loads, redirects, Location and the cookie's path are
// relative. The proxy must pass WebSockets through. X-Forwarded-Proto decides whether the cookie is for https only;
// X-Forwarded-Host whether a request comes from the gateway's own page, if the proxy has changed Host. No other proxy
// header is trusted.
//
// Browsers send cookies to every port of a host. Over https the cookie's name starts with __Host-, or with __Secure-
// behind a proxy, so no http server can plant one; but other programs on the robot's host that the same browser visits
// do receive it, and can use it here until it expires. Give a program you do not trust another host name, or a proxy
// with a prefix for each: the cookie stays in the folder of its page.
//
// Who may drive still needs an actuator's lease, and people who talk are named at the speaker.
//
// # Shutdown
//
// [Server.Close] ends all sessions and returns when their goroutines have ended.
package server
