package voice

const (
	// maxFrame is the largest Opus frame, in bytes (RFC 6716, 3.4).
	maxFrame = 1275
	// maxSamples is the longest Opus packet: 120 ms at 48 kHz.
	maxSamples = 5760
)

// durations are those of the frames of an Opus packet in samples at 48 kHz, by the configuration in its first byte (RFC 6716, 3.1).
var durations = func() (d [32]int) {
	for config := range d {
		switch {
		case config < 12: // SILK
			d[config] = []int{480, 960, 1920, 2880}[config%4]
		case config < 16: // hybrid
			d[config] = []int{480, 960}[config%2]
		default: // CELT
			d[config] = []int{120, 240, 480, 960}[config%4]
		}
	}
	return d
}()

// readOpus tells how many samples there are in each channel of an Opus packet, and how many channels were coded. It looks at the head of
// the packet only; false means that this is none.
func readOpus(packet []byte) (samples int32, channels int32, ok bool) {
	if len(packet) == 0 || len(packet) > maxFrame {
		return 0, 0, false
	}
	frames := 1
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0, 0, false
		}
		frames = int(packet[1] & 63)
	}
	n := frames * durations[packet[0]>>3]
	if n == 0 || n > maxSamples {
		return 0, 0, false
	}
	return int32(n), 1 + int32(packet[0]>>2&1), true
}
