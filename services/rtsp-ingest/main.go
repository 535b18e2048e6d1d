// Command waldo-rtsp-ingest makes a network camera a camera of the robot. See waldo-rtsp-ingest --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/conceal"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/ingest"
)

func main() {
	conceal.Flags("url", "user", "password")
	device.Main(ingest.Kind())
}
