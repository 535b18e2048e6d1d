package rtc

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/pion/dtls/v3"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// wire remembers the sizes of the packets of RTP as they arrive, by picture.
type wire struct {
	mu       sync.Mutex
	pictures [][]int // the last one is not complete
}

func (w *wire) note(datagram []byte) {
	if len(datagram) < 12 || datagram[0]>>6 != 2 || datagram[1]&0x7f >= 64 && datagram[1]&0x7f < 96 {
		return // not RTP: RFC 7983, and RFC 5761 for RTCP
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pictures) == 0 {
		w.pictures = append(w.pictures, nil)
	}
	last := &w.pictures[len(w.pictures)-1]
	*last = append(*last, len(datagram))
	if datagram[1]&0x80 != 0 { // the marker
		w.pictures = append(w.pictures, nil)
	}
}

// complete returns the pictures that arrived from the beginning to the end.
func (w *wire) complete() [][]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pictures) < 2 {
		return nil
	}
	return slices.Clone(w.pictures[1 : len(w.pictures)-1])
}

// TestPacketsFitEveryPath: with IPv6 and through a relay, no packet is longer than 1280 bytes, nor when it is sent
// again; and those of a picture are equally long, except for the last, where the far end has the extensions of a
// browser.
func TestPacketsFitEveryPath(t *testing.T) {
	const room = 1280 - 40 - 8 - 4 - 2 // of IPv6, UDP, ChannelData, and the number of a packet that is sent again
	unit := make([]byte, 20_000)
	for i := range unit {
		unit[i] = byte(1 + i%250)
	}
	copy(unit, []byte{0, 0, 0, 1, 0x65})
	for _, tt := range []struct {
		name   string
		cc     uint8
		extmap []string
		equal  bool
	}{
		{"no extensions", 0, nil, false},
		{"browser", 4, []string{"4 cc", "5 delay", "11 capture"}, true},
		{"browser with the long form", 4, []string{"4 cc", "5 delay", "16 capture", "200 mid"}, false},
		{"Go peer", 4, []string{"1 frame", "2 run", "3 capture", "4 cc", "5 delay"}, false},
		{"Go peer with the long form", 104, []string{"101 frame", "102 run", "103 capture", "104 cc", "105 delay"}, false},
	} {
		for profile, name := range map[dtls.SRTPProtectionProfile]string{aes256GCM: "AES-GCM", aes128CM: "AES-CM"} {
			t.Run(tt.name+" "+name, func(t *testing.T) {
				e, c, _ := newStudio(t)
				c.pictures[left] = unit
				var arrived wire
				far, _ := watchLeft(t, e, watcher.Config{
					Videos: 1, Buffer: 1000, Profiles: []dtls.SRTPProtectionProfile{profile}, Datagram: arrived.note,
				}, func(offer string) string {
					section := offered{stream: left, pt: 96, fmtp: mode1, number: tt.cc, extmap: tt.extmap}
					return number(t, offer, []offered{section})
				})
				ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
				defer cancel()
				for len(arrived.complete()) < 3 {
					if _, err := far.Packet(ctx); err != nil {
						t.Fatal(err)
					}
				}
				equal := true
				for _, sizes := range arrived.complete() {
					if longest := slices.Max(sizes); longest > room {
						t.Fatalf("a packet has %d bytes, there is room for %d: %v", longest, room, sizes)
					}
					equal = equal && slices.Min(sizes[:len(sizes)-1]) == sizes[0] && slices.Max(sizes) == sizes[0]
				}
				if equal != tt.equal {
					t.Errorf("packets of a picture are equally long: %v, want %v: %v", equal, tt.equal, arrived.complete()[0])
				}
			})
		}
	}
}
