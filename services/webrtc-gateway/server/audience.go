package server

import "strings"

// audience is for whom a route is.
type audience int

const (
	// holders of the token, on the robot's own network.
	holders audience = iota
	// callers are also those who come through a rendezvous server: for the page, which everybody may see there, and the
	// signalling, where they have to prove that they know the token.
	callers
	// guests are also those who come through a rendezvous server with the guest token.
	guests
	// everybody needs no token.
	everybody
)

// audienceOf tells for whom a route is. public is whether its path is that of a file for everybody.
func audienceOf(pattern string, public bool) audience {
	method, path, _ := strings.Cut(pattern, " ")
	switch {
	case pattern == pagePattern && public, pattern == "GET /healthz",
		pattern == signOutPattern: // it is about nothing but the cookie that comes with it
		return everybody
	// The address of a WHEP or WHIP session is random, and known only to the client that opened it with the token: players
	// know no other way to show who they are than to use it.
	case (method == "PATCH" || method == "DELETE") && strings.HasSuffix(path, "/{device}/{id}"):
		return everybody
	case pattern == pagePattern, path == "/signal":
		return callers
	case strings.HasPrefix(path, "/whep/"), strings.HasPrefix(path, "/whip/"), strings.HasPrefix(path, "/mjpeg/"),
		path == "/connect":
		return guests
	}
	return holders
}
