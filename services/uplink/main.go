// Command waldo-uplink sends what a robot's devices stream to its hub, while somebody there wants it. See waldo-uplink
// --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/uplink/uplink"
)

func main() { device.Main(uplink.Kind()) }
