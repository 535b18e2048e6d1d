package rtsp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waldo-robot/waldo/pkg/text"
)

// Bounds of a description. Cameras describe one to five sections.
const (
	maxSections = 32
	maxTypes    = 32
)

// description is what an SDP says that matters here. A line that cannot be read says nothing.
type description struct {
	control  string
	key      string // MIKEY, in base64
	sections []*section
}

// section is one medium.
type section struct {
	kind     string // video, audio, application …
	protocol string // RTP/AVP
	types    []uint8
	maps     map[uint8]string // rtpmap by payload type
	formats  map[uint8]string // fmtp by payload type
	control  string
	key      string // MIKEY, in base64
	sendOnly bool   // a back channel: we may only send (ONVIF Streaming Specification, 5.3)
}

// parseSDP reads a description with any line ends, and in any order of its lines.
func parseSDP(body []byte) (d description) {
	var current *section
	for _, line := range strings.FieldsFunc(string(body), func(r rune) bool { return r == '\r' || r == '\n' }) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
		case name == "m":
			if len(d.sections) == maxSections {
				return d
			}
			current = parseMedium(value)
			d.sections = append(d.sections, current)
		case name == "a" && current == nil:
			if control, ok := cutAttribute(value, "control"); ok {
				d.control = control
			}
			if key, ok := cutKey(value); ok {
				d.key = key
			}
		case name == "a":
			current.attribute(value)
		}
	}
	d.lend()
	return d
}

func parseMedium(value string) *section {
	s := &section{maps: map[uint8]string{}, formats: map[uint8]string{}}
	words := strings.Fields(value)
	if len(words) > 0 {
		s.kind = strings.ToLower(words[0])
		words = words[1:]
	}
	isProtocol := func(word string) bool { return word[0] < '0' || word[0] > '9' }
	if i := slices.IndexFunc(words, isProtocol); i >= 0 { // before it is the port, if there is one
		s.protocol, words = strings.ToUpper(words[i]), words[i+1:]
	}
	for _, word := range words {
		if n, err := strconv.ParseUint(word, 10, 7); err == nil && len(s.types) < maxTypes {
			s.types = append(s.types, uint8(n))
		}
	}
	return s
}

func (s *section) attribute(value string) {
	if control, ok := cutAttribute(value, "control"); ok {
		s.control = control
	}
	if mapping, ok := cutAttribute(value, "rtpmap"); ok {
		s.note(s.maps, mapping)
	}
	if format, ok := cutAttribute(value, "fmtp"); ok {
		s.note(s.formats, format)
	}
	if key, ok := cutKey(value); ok {
		s.key = key
	}
	if strings.EqualFold(value, "sendonly") {
		s.sendOnly = true
	}
}

// note takes "96 H264/90000". A payload type that the medium does not list is taken too.
func (s *section) note(into map[uint8]string, value string) {
	end := max(0, strings.IndexAny(value, " \t"))
	n, err := strconv.ParseUint(value[:end], 10, 7)
	if err == nil && len(into) < maxTypes {
		into[uint8(n)] = strings.TrimSpace(value[end:])
	}
}

// cutAttribute returns the value of an attribute of that name.
func cutAttribute(line, name string) (value string, ok bool) {
	found, value, ok := strings.Cut(line, ":")
	return strings.TrimSpace(value), ok && strings.EqualFold(strings.TrimSpace(found), name)
}

// cutKey returns the message of a key-mgmt attribute (RFC 4567, 3).
func cutKey(line string) (message string, ok bool) {
	value, ok := cutAttribute(line, "key-mgmt")
	protocol, message, _ := strings.Cut(value, " ")
	return strings.TrimSpace(message), ok && strings.EqualFold(protocol, "mikey")
}

// lend gives sections what others have of their payload types: some cameras write fmtp under another medium.
func (d *description) lend() {
	for _, s := range d.sections {
		for _, t := range s.types {
			for _, other := range d.sections {
				if _, listed := other.own(t); s.formats[t] == "" && other.formats[t] != "" && !listed {
					s.formats[t] = other.formats[t]
				}
			}
		}
	}
}

// own tells whether a payload type is listed.
func (s *section) own(t uint8) (index int, ok bool) {
	for i, one := range s.types {
		if one == t {
			return i, true
		}
	}
	return 0, false
}

// encoding is what an rtpmap says: H264, 90000, 1.
type encoding struct {
	name            string // upper case
	clock, channels int
}

// static are payload types that need no rtpmap (RFC 3551).
var static = map[uint8]encoding{
	0: {"PCMU", 8000, 1}, 8: {"PCMA", 8000, 1}, 10: {"L16", 44100, 2}, 11: {"L16", 44100, 1}, 26: {"JPEG", 90000, 1},
}

// encoding returns that of a payload type.
func (s *section) encoding(t uint8) (encoding, error) {
	name, rest, _ := strings.Cut(s.maps[t], "/")
	clock, channels, _ := strings.Cut(rest, "/")
	e := static[t]
	if name = strings.TrimSpace(name); name != "" {
		e.name = strings.ToUpper(name)
		e.clock = number(clock, e.clock)
		e.channels = number(channels, 1)
	}
	if e.name == "" && strings.Contains(s.formats[t], "sprop-parameter-sets") {
		e.name = "H264"
	}
	if e.clock == 0 && s.kind == "video" {
		e.clock = 90000
	}
	if e.name == "" {
		return e, fmt.Errorf("payload type %d without a name", t)
	}
	return e, nil
}

func number(s string, fallback int) int {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 20)
	if err != nil || n == 0 {
		return fallback
	}
	return int(n)
}

// parameters reads "packetization-mode=1; sprop-parameter-sets=…"; names in lower case.
func parameters(format string) map[string]string {
	p := map[string]string{}
	for one := range strings.SplitSeq(format, ";") {
		if name, value, ok := strings.Cut(one, "="); ok && len(p) < maxTypes {
			p[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(value, " \t\"")
		}
	}
	return p
}

// shown bounds what is repeated of a description.
func shown(s string) string { return fmt.Sprintf("%.40s", text.Printable(s)) }
