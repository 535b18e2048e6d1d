// Command waldo-peer is a slot for a camera and a microphone elsewhere: a phone's browser, OBS, another robot. See
// waldo-peer --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/peer/peer"
)

func main() { device.Main(peer.Kind()) }
