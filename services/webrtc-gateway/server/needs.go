package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/access/roles"
)

// Route is a route and the role that it needs.
type Route struct {
	// Pattern is the method and path, as [http.ServeMux] has them.
	Pattern string
	// Need is the role; None: nobody is asked who they are.
	Need roles.Role
	// Note says more, for people; may be empty.
	Note string
}

// routeNeeds are the roles that routes need, by their pattern. A route that is not here needs an admin.
var routeNeeds = map[string]Route{
	pagePattern:             {Need: roles.Viewer, Note: "the page; its modules need no token"},
	signOutPattern:          {Need: roles.None, Note: "ends the browser's login, and all that is open by it"},
	"GET /healthz":          {Need: roles.None},
	"GET /metrics":          {Need: roles.Viewer},
	"GET /devices":          {Need: roles.Viewer},
	"GET /signal":           {Need: roles.Viewer, Note: "sections, calls and channels of the session need their own"},
	"POST /signal":          {Need: roles.Viewer, Note: "tells a page why there is no session"},
	"GET /picture/{device}": {Need: roles.Viewer},
	foxglovePattern:         {Need: roles.Viewer, Note: "to play and pause a replay needs the role that its player wants"},
	"GET /mjpeg/{device}":   {Need: roles.Viewer},
	"GET /snapshot/{file}":  {Need: roles.Viewer},

	"GET /recordings/file/{device}/{name}":                       {Need: roles.Viewer},
	"GET /recordings/segment/{device}/{recording}/{of}/{stream}": {Need: roles.Viewer, Note: "a piece to play"},

	"POST /whep/{device}":        {Need: roles.Viewer},
	"OPTIONS /whep/{device}":     {Need: roles.Viewer},
	"GET /whep/{device}":         {Need: roles.Viewer, Note: "says that the method is wrong"},
	"GET /whep/{device}/{id}":    {Need: roles.Viewer, Note: "says that the method is wrong"},
	"PATCH /whep/{device}/{id}":  {Need: roles.None, Note: "the address is secret"},
	"DELETE /whep/{device}/{id}": {Need: roles.None, Note: "the address is secret"},
	"POST /whip/{device}":        {Need: roles.Driver},
	"OPTIONS /whip/{device}":     {Need: roles.Driver},
	"GET /whip/{device}":         {Need: roles.Driver, Note: "says that the method is wrong"},
	"GET /whip/{device}/{id}":    {Need: roles.Driver, Note: "says that the method is wrong"},
	"PATCH /whip/{device}/{id}":  {Need: roles.None, Note: "the address is secret"},
	"DELETE /whip/{device}/{id}": {Need: roles.None, Note: "the address is secret"},

	"POST /connect":   {Need: roles.Driver, Note: "clients of RTCBot send and write"},
	"GET /connect":    {Need: roles.Driver, Note: "says that the method is wrong"},
	"GET /ws/{topic}": {Need: roles.WriteTopic},
	"GET /ws":         {Need: roles.Driver, Note: "a robot that runs RTCBot dials in"},
	"POST /ws":        {Need: roles.Driver, Note: "an offer for such a robot"},
}

// Routes lists all routes and what they need, sorted by path.
func Routes() []Route {
	all := make([]Route, 0, len(routeNeeds))
	for pattern, route := range routeNeeds {
		route.Pattern = pattern
		all = append(all, route)
	}
	slices.SortFunc(all, func(a, b Route) int {
		method, path, _ := strings.Cut(a.Pattern, " ")
		method2, path2, _ := strings.Cut(b.Pattern, " ")
		return strings.Compare(path+" "+method, path2+" "+method2)
	})
	return slices.Clip(all)
}

// needed returns the role that a request needs whose route has a pattern, and the device that it is about, if any.
func needed(pattern string, r *http.Request) (need roles.Role, device string) {
	route, known := routeNeeds[pattern]
	switch {
	case pattern == "": // nothing is there
		route.Need = roles.Viewer
	case !known:
		route.Need = roles.Admin
	}
	return route.Need, deviceOf(pattern, r.URL.Path)
}

// deviceOf returns the device in a path.
func deviceOf(pattern, path string) string {
	_, pattern, _ = strings.Cut(pattern, " ")
	names, values := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, name := range names {
		switch {
		case i >= len(values):
		case name == "{device}":
			return values[i]
		case name == "{file}":
			return strings.TrimSuffix(values[i], ".jpg")
		}
	}
	return ""
}
