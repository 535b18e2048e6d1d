// Package web holds the gateway's page, waldo.js, the JavaScript library behind it, and
// rtcbot.js, for pages that were written for RTCBot, as files built into the binary.
//
// They are plain ES modules and run as they are: nothing is bundled, compiled or fetched from elsewhere, so the page
// works on a robot without a way to the internet and under a content security policy of 'self'. Unit tests (`node
// --test`) and the type check (`npm ci && npx tsc`) sit beside the files and are not built in.
package web

import "embed"

// Files are the static files to serve at the root: index.html is the page of a robot, recordings.html that of its
// recordings, fleet.html the list of robots that a gateway of a fleet has in its place.
//
//go:embed index.html fleet.html recordings.html waldo.js rtcbot.js page/*.css page/*.svg
//go:embed base/*.js channels/*.js control/*.js inputs/*.js link/*.js media/*.js page/*.js playback/*.js proto/*.js robot/*.js
var Files embed.FS
