package foxglove

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

// parameters are what is known of the robot and does not come in messages, by name.
type parameters map[string]string

// parameters returns those of now.
func (g *Gateway) parameters(v *view) parameters {
	p := parameters{"robot": g.config.Robot}
	p.put("drive.device", g.config.Drive.GetDevice())
	p.put("drive.see", g.config.Drive.GetSee())
	list, _ := v.directory.List()
	for _, s := range list.GetDevices() {
		p.device(s)
	}
	return p
}

func (p parameters) put(name, value string) {
	if value != "" {
		p[name] = value
	}
}

// device adds what is known of a device. What it says of its hardware is below `attributes`, so that it cannot take the
// name of anything else.
func (p parameters) device(s *signalingv1.DeviceStatus) {
	d := s.GetDevice()
	name := d.GetName() + "."
	p.put(name+"kind", d.GetKind())
	p.put(name+"version", d.GetVersion())
	p.put(name+"state", stateOf(s))
	p.put(name+"reason", d.GetStateReason())
	for key, value := range d.GetAttributes() {
		p.put(name+"attributes."+key, value)
	}
}

// stateOf names the state of a device.
func stateOf(s *signalingv1.DeviceStatus) string {
	if s.GetGone() {
		return "gone"
	}
	state := strings.TrimPrefix(s.GetDevice().GetState().String(), "DEVICE_STATE_")
	if s.GetDevice().GetState() == devicev1.DeviceState_DEVICE_STATE_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(state)
}

// named returns parameters with names, of which unknown ones are left out; all of them if no names are given.
func (p parameters) named(names []string) []parameter {
	var list []parameter
	for name, value := range p {
		if len(names) == 0 || slices.Contains(names, name) {
			list = append(list, parameter{name, &value})
		}
	}
	slices.SortFunc(list, func(a, b parameter) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// interest are the parameters that a client wants to be told of, as it knows them. All means also those to come.
type interest struct {
	all   bool
	names map[string]bool
	known parameters
}

func newInterest() *interest { return &interest{names: map[string]bool{}, known: parameters{}} }

func (i *interest) empty() bool { return !i.all && len(i.names) == 0 }

// add adds names; none means all. The client is told of what changes from now on.
func (i *interest) add(names []string, now parameters) error {
	if len(names) == 0 {
		i.all = true
	}
	for _, name := range names {
		if !i.names[name] && len(i.names) >= maxNamed {
			return fmt.Errorf("parameters: you are told of %d already, and no more are possible", maxNamed)
		}
		i.names[name] = true
	}
	i.news(now)
	return nil
}

// remove takes names out; none means all. Who has asked for all of them is told of all until then.
func (i *interest) remove(names []string) {
	if len(names) == 0 {
		*i = *newInterest()
	}
	for _, name := range names {
		delete(i.names, name)
		if !i.all {
			delete(i.known, name)
		}
	}
}

// news returns the parameters of interest that are not as they were the last time; those that are gone have no value.
func (i *interest) news(now parameters) []parameter {
	before := i.known
	i.known = parameters{}
	var list []parameter
	for name, value := range now {
		if !i.all && !i.names[name] {
			continue
		}
		i.known[name] = value
		if old, there := before[name]; !there || old != value {
			list = append(list, parameter{name, &value})
		}
	}
	for name := range before {
		if _, there := now[name]; !there {
			list = append(list, parameter{Name: name})
		}
	}
	slices.SortFunc(list, func(a, b parameter) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
