// Command waldo-input runs one gamepad, keyboard or mouse of a robot. See waldo-input --help.
package main

import (
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/input/input"
)

func main() { device.Main(input.Kind()) }
