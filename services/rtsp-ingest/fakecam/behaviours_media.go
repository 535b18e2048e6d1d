package fakecam

import (
	"encoding/base64"
	"strings"
)

// sprop replaces the parameter sets in the SDP of H.264.
func sprop(sets ...[]byte) func(string, string) string {
	var all []string
	for _, s := range sets {
		all = append(all, base64.StdEncoding.EncodeToString(s))
	}
	return func(sdp, _ string) string {
		before, rest, _ := strings.Cut(sdp, "; sprop-parameter-sets=")
		_, after, _ := strings.Cut(rest, "\r\n")
		if len(all) > 0 {
			before += "; sprop-parameter-sets=" + strings.Join(all, ",")
		}
		return before + "\r\n" + after
	}
}

func parameterBehaviours() []Behaviour {
	const clip = "baseline.h264"
	sdpOnly := hooked(clip, WithoutParameters(H264))
	sets := Clip(clip).Parameters()
	startCode := []byte{0, 0, 0, 1}
	pps := func(nal []byte) bool { return nal[0]&0x1f == 8 }
	noPPS := hooked(clip, Units(func(s *Sent) { s.Data = without(s.Data, pps) }))
	noPPS.SDP = sprop(sets[0])
	small := Clip("small.h264").Parameters()
	sizes := Config{Tracks: []Track{{Media: Join(Clip(clip), Clip("small.h264"))}}}
	return []Behaviour{
		{"parameters-sdp-only", 15, "parameter sets in the SDP only", "SharpRTSP#53: old Axis", sdpOnly, false},
		{"parameters-stream-only", 15, "parameter sets in the stream only", "kerberos-io#105", Config{SDP: sprop()}, false},
		{"parameters-other-size", 15, "the SDP has the parameter sets of another size", "gortsplib PR#394; retina#42",
			Config{SDP: sprop(small...)}, false},
		{"parameters-annex-b", 15, "start codes in the parameter sets of the SDP", "gortsplib",
			Config{SDP: sprop(append(startCode, sets[0]...), append(startCode, sets[1]...))}, false},
		{"parameters-no-pps", 15, "no PPS anywhere", "Snapmaker U1 #644", noPPS, true},
		{"size-changes", 16, "the size changes each 2 s", "mediamtx#4262; homebridge-nest PR#238", sizes, false},
	}
}

func packetBehaviours() []Behaviour {
	mode := func(to string) Config { return Config{SDP: edit("packetization-mode=1; ", to)} }
	const clip = "baseline.h264"
	startCodes := hooked(clip, Units(StartCodesInside))
	return []Behaviour{
		{"mode-absent", 17, "no packetization-mode, and FU-A is sent", "gortsplib", mode(""), false},
		{"mode-0", 17, "packetization-mode=0, and FU-A is sent", "gortsplib", mode("packetization-mode=0; "), false},
		{"mode-2", 17, "packetization-mode=2, and mode 1 is sent", "gortsplib", mode("packetization-mode=2; "), false},
		{"many-slices", 17, "31 slices a picture", "retina", Config{Tracks: video("slices.h264", nil)}, false},
		{"large-unit", 17, "a NAL unit of 80 kB", "gortsplib", hooked(clip, Filler(80_000)), false},
		{"fragment-both", 18, "fragments that are first and last", "gortsplib: CostarHD", hooked(clip,
			Packets(FragmentAll)), false},
		{"fragment-type", 18, "later fragments have another type", "retina 0.4.14: Tiandy",
			hooked(clip, Packets(ChangeFragmentType)), false},
		{"fragment-empty", 18, "fragments without data", "retina 0.4.17", hooked(clip, EmptyFragments), false},
		{"start-codes", 18, "several NAL units with start codes in one", "retina 0.4.11: V380", startCodes, false},
		{"aggregate-padded", 18, "zeros behind the NAL units of a STAP-A", "gortsplib", hooked(clip,
			Packets(PadAggregates)), false},
	}
}

func markerBehaviours() []Behaviour {
	never := Packets(func(p *Packet) { p.Marker = false })
	sei := func() Hooks {
		return Hooks{Packet: func(p *Packet) []*Packet {
			p.Marker = p.Index == 0 || p.Marker
			return []*Packet{p}
		}}
	}
	return []Behaviour{
		{"marker-never", 19, "no marker", "mediamtx#3945: FLIR M400", hooked("baseline.h264", never), false},
		{"marker-never-h265", 19, "no marker, with H.265", "viamrtsp PR#209", hooked("plain.h265", never), false},
		{"marker-each-unit", 19, "a marker on each NAL unit", "gortsplib", hooked("baseline.h264", OneUnitPerPacket),
			false},
		{"marker-early", 19, "a marker on the first packet of each picture too", "retina 0.4.19",
			hooked("baseline.h264", sei), false},
	}
}

func lossBehaviours() []Behaviour {
	const clip = "baseline.h264"
	const second = VideoClock
	old := "gortsplib#750: old webcams"
	return []Behaviour{
		{"loss", 20, "each 50th packet is lost", "UDP", hooked(clip, DropEvery(50)), false},
		{"reorder", 20, "each 10th packet comes after the next", "UDP", hooked(clip, SwapEvery(10)), false},
		{"duplicates", 21, "each 5th packet comes twice", old, hooked(clip, DoubleEvery(5)), false},
		{"sequence-restarts", 21, "sequence numbers restart after 30 pictures", old, hooked(clip, Renumber(30, false,
			0)), false},
		{"ssrc-changes", 21, "SSRC and sequence numbers change after 30 pictures", old,
			hooked(clip, Renumber(30, true, 0)), false},
		{"ssrc-and-time-change", 21, "SSRC, sequence numbers and time change after 30 pictures", old,
			hooked(clip, Renumber(30, true, 1000*second)), false},
	}
}
