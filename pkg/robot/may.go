package robot

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waldo-robot/waldo/pkg/text"
)

// maxMay bounds each list of [May].
const maxMay = 64

// May is what a device may do with others on the bus, besides what its kind needs anyway.
type May struct {
	// Read are the streams that it may read: `front/video`, or `front` for all of that device.
	Read []string `yaml:"read" help:"streams of other devices that it may read: front/video, or front for all"`
	// Write are the streams that it may send to: `voice/speaker`, or `voice` for all of that device.
	Write []string `yaml:"write" help:"streams of other devices that it may send to: voice/speaker, or voice for all"`
	// Call are the devices whose methods it may call, as far as a driver may.
	Call []string `yaml:"call" help:"devices whose methods it may call, as a driver may"`
	// Topics are those of messages that it may read and send.
	Topics []string `yaml:"topics" help:"topics of messages that it may read and send"`
}

// Validate checks the form of all names.
func (m *May) Validate() error {
	var errs []error
	check := func(key string, list []string, good func(string) bool, form string) {
		if len(list) > maxMay {
			errs = append(errs, BadField(key, "has %d entries: use at most %d", len(list), maxMay))
			return
		}
		for _, one := range list {
			if !good(one) {
				errs = append(errs, BadField(key, "%q is not %s", shorten(one), form))
			}
		}
	}
	check("read", m.Read, isStream, "a stream of a device: write front/video, or front for all of them")
	check("write", m.Write, isStream, "a stream of a device: write voice/speaker, or voice for all of them")
	check("call", m.Call, text.IsName, "the name of a device")
	check("topics", m.Topics, isTopic, "a topic: use 1 to 64 letters, digits, hyphens and underscores")
	return errors.Join(errs...)
}

// isStream tells whether a text is a device, or a device and one of its streams.
func isStream(s string) bool {
	device, stream, one := strings.Cut(s, "/")
	return text.IsName(device) && (!one || text.IsName(stream))
}

// isTopic is the rule of bus.CheckTopic.
func isTopic(s string) bool {
	return s != "" && len(s) <= 64 && text.Only(s, topicCharacters)
}

const topicCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// devices names the devices that the lists are about, with the key that names each.
func (m *May) devices(about func(key, device string)) {
	for key, list := range map[string][]string{"read": m.Read, "write": m.Write, "call": m.Call} {
		for _, one := range list {
			device, _, _ := strings.Cut(one, "/")
			about(key, device)
		}
	}
}

// may reads what a device may do.
func (p *parser) may(n *yaml.Node, path string) *May {
	m := &May{}
	s := Section{file: p.file, path: path, node: n}
	if err := s.Decode(m); err != nil {
		p.errs = append(p.errs, err)
	}
	return m
}

// checkMay reports devices that are named under `may:` and are none.
func (p *parser) checkMay() {
	names := make([]string, len(p.robot.Devices))
	for i, d := range p.robot.Devices {
		names[i] = d.Name
	}
	for _, d := range p.robot.Devices {
		if d.May == nil {
			continue
		}
		var errs []error
		d.May.devices(func(key, device string) {
			if text.IsName(device) && !slices.Contains(names, device) {
				errs = append(errs, BadField("may."+key, "the robot has no device %q%s", device, hint(device, names)))
			}
		})
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		if len(errs) > 0 {
			p.errs = append(p.errs, d.Locate(errors.Join(errs...)))
		}
	}
}
