package steer

import (
	"sync"
	"time"
)

// drivingFor is how long a peer drives after a command that was accepted. Drivers send at least ten a second.
const drivingFor = time.Second

// Drivers knows which peers drive. A peer cannot claim to: it follows from the commands that actuators have accepted,
// which requires the lease. It is safe for concurrent use.
type Drivers struct {
	device string // the actuator that is meant by driving; empty: any

	mu       sync.Mutex
	commands map[string]command // the last one, by actuator
	changed  func()
}

type command struct {
	peer string
	at   time.Time
}

// NewDrivers returns the Drivers of a robot that nobody drives yet. The device is the actuator that moves the robot: a
// peer that commands another one, such as a camera's mount, counts as driving only while nobody commands that one. If
// it is empty, all actuators are equal.
func NewDrivers(device string) *Drivers {
	return &Drivers{device: device, commands: make(map[string]command)}
}

// Accepted takes note that an actuator has accepted a command of a peer.
func (d *Drivers) Accepted(peer, device string) {
	now := time.Now()
	d.mu.Lock()
	before := d.commands[device]
	d.commands[device] = command{peer, now}
	changed := d.changed
	d.mu.Unlock()
	if changed != nil && (before.peer != peer || now.Sub(before.at) >= drivingFor) {
		changed()
	}
}

// Commands reports whether a peer commands any actuator now. A nil Drivers knows of nobody who does.
func (d *Drivers) Commands(peer string, now time.Time) bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.commands {
		if c.by(peer, now) {
			return true
		}
	}
	return false
}

// Drives reports whether a peer drives now: it moves the robot, or moves something else while nobody moves the robot. A
// nil Drivers knows of nobody who does.
func (d *Drivers) Drives(peer string, now time.Time) bool {
	if d == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.commands[d.device]; ok && now.Sub(c.at) < drivingFor {
		return c.by(peer, now)
	}
	for _, c := range d.commands {
		if c.by(peer, now) {
			return true
		}
	}
	return false
}

func (c command) by(peer string, now time.Time) bool {
	return c.peer == peer && now.Sub(c.at) < drivingFor
}

// notify sets what is called when somebody begins to drive.
func (d *Drivers) notify(changed func()) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed = changed
}
