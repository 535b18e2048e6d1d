package rtc

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
)

// Prefer puts the candidates of an answer that have an address first, UDP before TCP: some programs that send try only
// the first candidate, so it has to be one that they can reach. The answer stays as it is if the address is invalid or
// unspecified.
func Prefer(answer string, address netip.Addr) string {
	var d sdp.SessionDescription
	if !address.IsValid() || address.IsUnspecified() || d.UnmarshalString(answer) != nil {
		return answer
	}
	for _, m := range d.MediaDescriptions {
		preferIn(m, address)
	}
	text, err := d.Marshal()
	if err != nil {
		return answer
	}
	return string(text)
}

// preferIn sorts the candidates of a section. Other attributes stay where they are.
func preferIn(m *sdp.MediaDescription, address netip.Addr) {
	var places []int
	var candidates []sdp.Attribute
	for i, a := range m.Attributes {
		if a.Key == sdp.AttrKeyCandidate {
			places, candidates = append(places, i), append(candidates, a)
		}
	}
	slices.SortStableFunc(candidates, func(a, b sdp.Attribute) int {
		return distance(a.Value, address) - distance(b.Value, address)
	})
	for i, place := range places {
		m.Attributes[place] = candidates[i]
	}
}

// distance is 0 for candidates with UDP and the address, 1 for others with UDP, 2 for TCP.
func distance(candidate string, address netip.Addr) int {
	fields := strings.Fields(candidate) // foundation, component, transport, priority, address, port … (RFC 8839, 5.1)
	switch {
	case len(fields) < 6 || !strings.EqualFold(fields[2], "udp"):
		return 2
	case fields[4] == address.String():
		return 0
	}
	return 1
}
