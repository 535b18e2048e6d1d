// Package pionnet shows pion the network of this machine as it is at the time. Pion by itself goes on with the
// interfaces that there were when a connection, or the port of all connections, was made: after a change of network, an
// ICE restart then offers the old addresses, and none that works.
//
// Everything is safe for concurrent use. There is nothing to close.
package pionnet

import (
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
)

// Net is pion's standard network with the present interfaces. Make it with [New].
type Net struct{ *stdnet.Net }

// New returns the network of this machine.
func New() Net { return Net{&stdnet.Net{}} }

// Interfaces implements [transport.Net].
func (Net) Interfaces() ([]*transport.Interface, error) {
	now, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return now.Interfaces()
}

// InterfaceByIndex implements [transport.Net].
func (Net) InterfaceByIndex(index int) (*transport.Interface, error) {
	now, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return now.InterfaceByIndex(index)
}

// InterfaceByName implements [transport.Net].
func (Net) InterfaceByName(name string) (*transport.Interface, error) {
	now, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return now.InterfaceByName(name)
}
