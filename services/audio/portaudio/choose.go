package portaudio

import (
	"fmt"
	"slices"
	"strings"

	pa "github.com/gordonklaus/portaudio"

	"github.com/waldo-robot/waldo/pkg/device"
)

// Default chooses what the system uses.
const Default = "default"

// direction is a microphone or a speaker.
type direction struct {
	word     string
	letter   string // for the kernel
	channels func(*pa.DeviceInfo) int
	standard func() (*pa.DeviceInfo, error)
}

var (
	input  = direction{"microphone", "c", func(d *pa.DeviceInfo) int { return d.MaxInputChannels }, pa.DefaultInputDevice}
	output = direction{"speaker", "p", func(d *pa.DeviceInfo) int { return d.MaxOutputChannels }, pa.DefaultOutputDevice}
)

// find returns the device that the configuration means.
func (d direction) find(wanted string) (*pa.DeviceInfo, error) {
	if wanted == Default {
		if found, err := d.standard(); err == nil && found != nil {
			return found, nil
		}
	}
	all, err := pa.Devices()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", device.ErrAway, err)
	}
	var names []string
	var usable []*pa.DeviceInfo
	for _, one := range all {
		if d.channels(one) > 0 {
			names, usable = append(names, one.Name), append(usable, one)
		}
	}
	if name := busy(proc, d.letter, wanted); name != "" && !slices.ContainsFunc(names, contains(wanted)) {
		return nil, fmt.Errorf("%w: %s %q is used by another program", device.ErrBusy, d.word, name)
	}
	if wanted == Default {
		return nil, fmt.Errorf("%w: the system has no default %s%s", device.ErrAway, d.word, known(names))
	}
	i, err := choose(wanted, names)
	if err != nil {
		return nil, fmt.Errorf("%w: no %s %w", device.ErrAway, d.word, err)
	}
	return usable[i], nil
}

// choose returns which of the names is wanted: the same but for case, or else the only one that has it in it.
func choose(wanted string, names []string) (int, error) {
	var found []int
	for i, name := range names {
		if strings.EqualFold(name, wanted) {
			return i, nil
		}
		if contains(wanted)(name) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("has %q in its name%s", wanted, known(names))
	case 1:
		return found[0], nil
	}
	var these []string
	for _, i := range found {
		these = append(these, names[i])
	}
	return 0, fmt.Errorf("alone has %q in its name: %s have; use more of one", wanted, quoted(these))
}

func contains(wanted string) func(string) bool {
	return func(name string) bool { return strings.Contains(strings.ToLower(name), strings.ToLower(wanted)) }
}

// known ends an error about a device that there is not.
func known(names []string) string {
	if len(names) == 0 {
		return ", nor any other: plug one in, or use another source or speaker"
	}
	return "; there are: " + quoted(names)
}

func quoted(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", name)
	}
	return b.String()
}
